# SPDX-License-Identifier: GPL-2.0-only
# The Linux guest: one bzImage that boots natively and under VMI, and an
# initramfs with a shell. New kernel files are in guest-linux/src, changes to
# Debian's files in guest-linux/patches, everything built is in $(B)/linux. The
# same with PAE, of guest-linux/config and config-pae, is in $(B)/linux-pae; for
# one processor, of config and config-up, for make bench, in $(B)/linux-up.

PACKAGES	+= libc6-dev-i386

L_TREES		:= $(B)/linux $(B)/linux-pae $(B)/linux-up
L_TARBALL	:= /usr/src/linux-source-6.1.tar.xz
# Within a rule of a tree, which $* is.
L_SRC		= $*/src
L_MAKE		= $(MAKE) -C $(L_SRC) ARCH=i386 KBUILD_BUILD_USER=openvmi \
		  KBUILD_BUILD_HOST=openvmi KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_VERSION=1
L_JOBS		:= $(shell nproc)
# Steps of a full build, for the progress display.
L_STEPS		:= 1020

# Sources that no i386 guest without devices compiles; their Kconfig files
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
		   spec/include/vmi.h spec/include/vmi_stub_cpuid.h

# A patch that is removed changes the directory, not a file.
$(L_TREES:%=%/.patched): %/.patched: %/.unpacked $(L_PORT) \
			 guest-linux/patches guest-linux/update-tree
	@echo "  LINUX   patch"
	@guest-linux/update-tree $(L_SRC) $*/originals
	@touch $@

$(B)/linux/src/.config:		guest-linux/config
$(B)/linux-pae/src/.config:	guest-linux/config guest-linux/config-pae
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

I		:= $(B)/initramfs
# Debian's busybox for i386, whatever architecture this machine has: a package
# index of its own, so that the system's own is not touched.
I_APT		:= apt-get -q -oAPT::Architecture=i386 \
		   -oAPT::Architectures=i386 -oAPT::Sandbox::User=root \
		   -oDir::State::Lists=$(abspath $(I))/apt/lists \
		   -oDir::Cache=$(abspath $(I))/apt/cache

$(I)/busybox: | $(B)/.deps
	@echo "  FETCH   busybox-static (i386)"
	@mkdir -p $(I)/apt/lists/partial $(I)/apt/cache/archives/partial
	@# One index of several may be out of step; what counts is the package.
	@cd $(I)/apt && { rm -f *.deb; $(I_APT) update || :; \
		$(I_APT) download busybox-static; } >../fetch.log 2>&1 || { \
		tail -n 5 ../fetch.log; exit 1; }
	@rm -rf $(I)/deb && dpkg-deb -x $(I)/apt/busybox-static_*_i386.deb \
		$(I)/deb
	@cp $(I)/deb/bin/busybox $@

$(I)/smoke $(I)/stress: $(I)/%: guest-linux/initramfs/%.c | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@gcc -m32 -static -pthread -O2 -std=gnu11 -msse2 -mfpmath=sse $(WARN) \
		-o $@ $<

# Other parts add their programs to I_EXTRA, e.g. $(I)/bench, and may do so
# after this file has been read.
I_PROGRAMS	= $(I)/busybox $(I)/smoke $(I)/stress $(I_EXTRA)
I_FILES		:= $(addprefix guest-linux/initramfs/,init inittab rc halt)

.SECONDEXPANSION:
$(B)/initramfs.cpio.gz: $(I_FILES) guest-linux/linux.mk $$(I_PROGRAMS)
	@echo "  CPIO    $@"
	@rm -rf $(I)/root
	@mkdir -p $(I)/root/{bin,sbin,usr/bin,usr/sbin,dev,proc,sys,tmp,etc}
	@cp $(I_PROGRAMS) $(I)/root/bin/
	@for a in $$($(I)/busybox --list); do \
		[ "$$a" = busybox ] || ln -s /bin/busybox $(I)/root/bin/$$a; \
	done
	@ln -s /bin/busybox $(I)/root/sbin/init
	@install -m755 guest-linux/initramfs/init $(I)/root/init
	@install -m755 guest-linux/initramfs/{rc,halt} $(I)/root/etc/
	@install -m644 guest-linux/initramfs/inittab $(I)/root/etc/
	@cd $(I)/root && find . | LC_ALL=C sort | \
		cpio --quiet -o -H newc -R 0:0 --reproducible | \
		gzip -9n >$(abspath $@)
