# SPDX-License-Identifier: GPL-2.0-only
# The Linux guest: one bzImage that boots natively and under VMI, and an
# initramfs with a shell. New kernel files are in guest-linux/src, changes to
# Debian's files in guest-linux/patches, everything built is in $(B)/linux. The
# same with PAE, of guest-linux/config and config-pae, is in $(B)/linux-pae; for
# 64 bits in $(B)/linux-amd64; for one processor, for make bench, in $(B)/linux-up.

PACKAGES	+= libc6-dev-i386 libelf-dev

L_TREES		:= $(B)/linux $(B)/linux-pae $(B)/linux-amd64 $(B)/linux-up
L_TARBALL	:= /usr/src/linux-source-6.1.tar.xz
# Within a rule of a tree, which $* is.
L_SRC		= $*/src
L_ARCH		= $(if $(filter %-amd64,$*),x86_64,i386)
L_MAKE		= $(MAKE) -C $(L_SRC) ARCH=$(L_ARCH) KBUILD_BUILD_USER=openvmi \
		  KBUILD_BUILD_HOST=openvmi KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_VERSION=1
L_JOBS		:= $(shell nproc)
# Steps of a full build, for the progress display.
L_STEPS		:= 1020

# Sources that no guest without devices compiles; their Kconfig files
# and makefiles stay.
L_SKIP		:= $(addsuffix /*.[chS],arch/[!x]* drivers/gpu drivers/media \
		   drivers/net drivers/scsi drivers/staging drivers/infiniband \
		   samples sound) Documentation/*/* tools/testing/* *.dts *.dtsi

# Comes with a package.
$(L_TARBALL): | $(B)/.deps ;

$(L_TREES:%=%/.unpacked): %/.unpacked: $(L_TARBALL) | $(B)/.deps
	@mkdir -p $*
	@echo "  LINUX   unpack $(notdir $(L_TARBALL)) (20 s)"
	@rm -rf $(L_SRC) $*/originals && mkdir -p $(L_SRC)
	@tar -xf $(L_TARBALL) -C $(L_SRC) --strip-components=1 --wildcards \
		$(foreach s,$(L_SKIP),--exclude='*/$s')
	@touch $@

L_PORT		:= $(wildcard guest-linux/patches/*.patch) \
		   $(shell find guest-linux/src -type f 2>/dev/null) \
		   $(addprefix spec/include/,vmi.h vmi64.h vmi_hypercall.h vmi_stub_cpuid.h)

# A patch that is removed changes the directory, not a file.
$(L_TREES:%=%/.patched): %/.patched: %/.unpacked $(L_PORT) \
			 guest-linux/patches guest-linux/update-tree
	@echo "  LINUX   patch"
	@guest-linux/update-tree $(L_SRC) $*/originals
	@touch $@

$(B)/linux/src/.config:		guest-linux/config
$(B)/linux-pae/src/.config:	guest-linux/config guest-linux/config-pae
$(B)/linux-amd64/src/.config:	guest-linux/config guest-linux/config-amd64
$(B)/linux-up/src/.config:	guest-linux/config guest-linux/config-up

# What is said last about an option counts.
$(L_TREES:%=%/src/.config): %/src/.config: %/.patched
	@echo "  LINUX   configure"
	@awk -F'[= ]' '/^CONFIG_/ { said[$$1] = $$0 } \
		/^# CONFIG_.* is not set/ { said[$$2] = $$0 } \
		END { for (o in said) print said[o] }' \
		$(filter guest-linux/config%,$^) | sort >$*/config
	@$(L_MAKE) KCONFIG_ALLCONFIG=$(abspath $*/config) allnoconfig \
		>$*/config.log 2>&1 || { cat $*/config.log; exit 1; }
	@for o in $$(grep -o '^CONFIG_[A-Z0-9_]*' $*/config); do \
		grep -q "^$$o=" $@ || { \
			echo "guest-linux/config*: $$o has no effect"; \
			rm -f $@; exit 1; }; \
	done
	@touch $@

$(L_TREES:%=%/bzImage): %/bzImage: %/src/.config %/.patched
	@echo "  LINUX   compile; log: $*/build.log"
	@$(L_MAKE) -j$(L_JOBS) bzImage 2>$*/build.err | \
		tee $*/build.log | \
		guest-linux/progress -v what=LINUX -v total=$(L_STEPS) || { \
		tail -n 20 $*/build.err; exit 1; }
	@cp $(L_SRC)/arch/x86/boot/bzImage $@

# ---- initramfs ----------------------------------------------------------------

# One for either width. That of 64 bits has a program more: the smoke test for
# 32 bits, as smoke32.
I		:= $(B)/initramfs
I64		:= $(B)/initramfs-amd64
I_TREES		:= $(I) $(I64)

# Debian's busybox for that width, whatever architecture this machine has: a
# package index of its own, so that the system's own is not touched.
I_ARCH		= $(if $(filter %-amd64,$(@D)),amd64,i386)
I_APT		= apt-get -q -oAPT::Architecture=$(I_ARCH) \
		  -oAPT::Architectures=$(I_ARCH) -oAPT::Sandbox::User=root \
		  -oDir::State::Lists=$(abspath $(@D))/apt/lists \
		  -oDir::Cache=$(abspath $(@D))/apt/cache

$(I_TREES:%=%/busybox): | $(B)/.deps
	@echo "  FETCH   busybox-static ($(I_ARCH))"
	@mkdir -p $(@D)/apt/lists/partial $(@D)/apt/cache/archives/partial
	@# One index of several may be out of step; what counts is the package.
	@cd $(@D)/apt && { rm -f *.deb; $(I_APT) update || :; \
		$(I_APT) download busybox-static; } >../fetch.log 2>&1 || { \
		tail -n 5 ../fetch.log; exit 1; }
	@rm -rf $(@D)/deb && \
		dpkg-deb -x $(@D)/apt/busybox-static_*_$(I_ARCH).deb $(@D)/deb
	@cp $(@D)/deb/bin/busybox $@

I_CC		= gcc -static -pthread -O2 -std=gnu11 -mno-red-zone $(WARN) \
		  -Ispec/include -Iguest-linux/src/include/uapi \
		  -o $@ $(filter %.c,$^)
I_TESTS		:= smoke stress vmictl vmi-uart vmi-errors

$(I_TESTS:%=$(I)/%): $(I)/%: guest-linux/initramfs/%.c | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(I_CC) -m32 -msse2 -mfpmath=sse

$(I_TESTS:%=$(I64)/%): $(I64)/%: guest-linux/initramfs/%.c | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(I_CC) -m64

$(I)/smoke $(I64)/smoke: guest-linux/initramfs/smoke_ring.c \
			 guest-linux/initramfs/smoke.h
$(I)/vmictl $(I64)/vmictl: guest-linux/initramfs/vmictl_console.c \
			   guest-linux/initramfs/vmictl.h

$(foreach p,vmictl vmi-uart vmi-errors,$(I)/$p $(I64)/$p): guest-linux/src/include/uapi/linux/vmi.h \
			   spec/include/vmi_hypercall.h

$(I64)/smoke32: $(I)/smoke
	@mkdir -p $(@D)
	@cp $< $@

# Other parts add their programs to I_EXTRA and I64_EXTRA, e.g. $(I)/bench, and
# may do so after this file has been read.
I_PROGRAMS	= $(addprefix $(I)/,busybox $(I_TESTS)) $(I_EXTRA)
I64_PROGRAMS	= $(addprefix $(I64)/,busybox $(I_TESTS) smoke32) $(I64_EXTRA)
I_FILES		:= $(addprefix guest-linux/initramfs/,init inittab rc halt)

.SECONDEXPANSION:
$(B)/initramfs.cpio.gz: $$(I_PROGRAMS)
$(B)/initramfs-amd64.cpio.gz: $$(I64_PROGRAMS)
$(I_TREES:%=%.cpio.gz): %.cpio.gz: $(I_FILES) guest-linux/linux.mk
	@echo "  CPIO    $@"
	@rm -rf $*/root
	@mkdir -p $*/root/{bin,sbin,usr/bin,usr/sbin,dev,proc,sys,tmp,etc}
	@cp $(filter $*/%,$^) $*/root/bin/
	@for a in $$($*/busybox --list); do \
		[ "$$a" = busybox ] || ln -s /bin/busybox $*/root/bin/$$a; \
	done
	@ln -s /bin/busybox $*/root/sbin/init
	@ln -s /bin/busybox $*/root/sbin/poweroff
	@install -m755 guest-linux/initramfs/init $*/root/init
	@install -m755 guest-linux/initramfs/{rc,halt} $*/root/etc/
	@install -m644 guest-linux/initramfs/inittab $*/root/etc/
	@cd $*/root && find . | LC_ALL=C sort | \
		cpio --quiet -o -H newc -R 0:0 --reproducible | \
		gzip -9n >$(abspath $@)

# Of a guest that starts others: it has in /boot what they are made of.
$(B)/service.cpio.gz: $(B)/initramfs.cpio.gz $(B)/linux/bzImage
$(B)/service-amd64.cpio.gz: $(B)/initramfs-amd64.cpio.gz $(B)/linux-amd64/bzImage
$(B)/service.cpio.gz $(B)/service-amd64.cpio.gz: %.cpio.gz:
	@echo "  CPIO    $@"
	@rm -rf $*
	@mkdir -p $*/boot
	@cp $(filter %/bzImage,$^) $*/boot/
	@cp $(filter %.cpio.gz,$^) $*/boot/initramfs.cpio.gz
	@{ cat $(filter %.cpio.gz,$^); cd $* && find boot | LC_ALL=C sort | \
		cpio --quiet -o -H newc -R 0:0 --reproducible | gzip -1n; } >$@
