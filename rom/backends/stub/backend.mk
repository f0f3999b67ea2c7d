# SPDX-License-Identifier: GPL-2.0-only
# Where the reserved top of the guest's address space begins (VMI-2.3).
VIRTUAL_TOP	?= 0xfc000000

ROM_NASM_stub	:= -DROM_VIRTUAL_TOP=$(VIRTUAL_TOP)
ROM_LD_stub	= --defsym=rom_shared=$(call vmi_number,STUB_SHARED_OFFSET)
