# SPDX-License-Identifier: GPL-2.0-only
# make iso: all of it on a hybrid image, for CD, USB stick, QEMU or Bochs, and for
# BIOS and UEFI: grub-mkrescue takes each GRUB that is installed.

PACKAGES	+= grub-common grub-pc-bin grub-efi-amd64-bin xorriso mtools

ISO		:= $(B)/openvmi.iso
ISO_FILES	= $(B)/hypervisor-stub.elf $(B)/linux/bzImage \
		  $(B)/rom/stub.rom $(B)/rom/stub64.rom \
		  $(B)/initramfs.cpio.gz $(B)/service.cpio.gz \
		  $(B)/conformance.elf

$(ISO): hypervisor-stub/metal/grub.cfg hypervisor-stub/iso.mk $(ISO_FILES) | $(B)/.deps
	@echo "  ISO     $@"
	@rm -rf $(B)/iso && mkdir -p $(B)/iso/boot/grub
	@cp $(ISO_FILES) $(B)/iso/boot/
	@cp $< $(B)/iso/boot/grub/
	@grub-mkrescue -o $@ $(B)/iso \
		>$(B)/iso.log 2>&1 || { tail -n 5 $(B)/iso.log; exit 1; }

.PHONY: iso
iso: $(ISO)
