# SPDX-License-Identifier: GPL-2.0-only
# Where the guest's linear space ends and the hypervisor's begins.
VIRTUAL_TOP	?= 0xfc000000

ROM_NASM_stub	:= -DROM_VIRTUAL_TOP=$(VIRTUAL_TOP)
ROM_LD_stub	= --defsym=rom_shared=$(call vmi_number,STUB_SHARED_OFFSET)
