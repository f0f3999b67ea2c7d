# SPDX-License-Identifier: GPL-2.0-only
# Where the reserved space of a 64-bit guest begins (VMI64-2.3), and where the
# image is linked: addresses are right in the working copy, with no relocation.
VIRTUAL_TOP64	?= 0xffffffffffe00000

ROM_NASM_stub64	:= -DROM_VIRTUAL_TOP=$(VIRTUAL_TOP64)
ROM_LD_stub64	= --defsym=rom_base=$(VIRTUAL_TOP64) \
		  --defsym=rom_shared=$(VIRTUAL_TOP64)+$(call vmi_number,STUB_SHARED_OFFSET)
