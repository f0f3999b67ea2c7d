# SPDX-License-Identifier: GPL-2.0-only
# OpenVMI: the front door. "make help" lists what there is.

SHELL		:= /bin/bash
.SHELLFLAGS	:= -eu -o pipefail -c
.DELETE_ON_ERROR:

B		:= build

# ---- one make at a time in a tree -------------------------------------------

# Two would spoil each other's objects: the outermost make locks the directory
# (a file would be gone after "make clean"), and another, which does the work,
# inherits the lock. The guest of "make run" runs without it.
ifneq ($(OPENVMI_LOCKED),$(CURDIR))
export OPENVMI_LOCKED := $(CURDIR)

GOALS		:= $(or $(MAKECMDGOALS),all)
.PHONY: locked $(GOALS)
$(filter-out run help,$(GOALS)): locked ; @:
run: locked

locked:
	@exec 9<.; flock -n 9 || { \
		echo "make: waiting for another make in $(CURDIR)"; flock 9; }; \
	$(MAKE) --no-print-directory $(GOALS:run=all)

# 130: ended by the user, who does not want make to complain
run:
	@./vmi-run $(if $(filter amd64,$(ARCH)),--kernel $(B)/linux-amd64/bzImage) || { status=$$?; [ $$status = 130 ] || exit $$status; }

help:
	@echo 'make run     build everything and boot Linux in VMI mode to a shell;'
	@echo '             with ARCH=amd64 a 64-bit one'
	@echo 'make check   run every test; the last line is "N passed, N failed"'
	@echo 'make check-long  guests with many vCPUs, for half an hour'
	@echo 'make conformance [ROM=FILE]  does a ROM keep its promises, point by point'
	@echo 'make attack  a hostile guest, case by case, in TAP'
	@echo 'make fuzz TIME=600 [TARGET=exit]  fuzz the hypervisor on the host'
	@echo 'make mutants [ONLY=NAME]  take checks out: does a test notice'
	@echo 'make coverage  lines of the hypervisor that unit tests and fuzzing reach'
	@echo 'make lint    style, spelling, headers: a part of make check'
	@echo 'make all     build the ROMs, the hypervisor, the kernel, the tools'
	@echo 'make linux   build the kernel alone; linux-pae one with PAE, linux-amd64'
	@echo '             one of 64 bits'
	@echo 'make iso     build/openvmi.iso, which boots with and without hypervisor'
	@echo 'make bench   instructions under VMI against native, one table'
	@echo 'make profile OP=fork  where the instructions of one operation are'
	@echo 'make abi     at a release: record the numbers of the interface'
	@echo 'make clean   remove build/'
	@echo './vmi-run --help  run any guest'

else

B		:= build
GEN		:= $(B)/gen
WARN		:= -Wall -Wextra -Wshadow -Wundef -Wmissing-prototypes \
		   -Wstrict-prototypes -Werror
HOSTCC		?= gcc
HOSTCFLAGS	:= -O2 -g -std=gnu11 $(WARN) -Ispec/include

.PHONY: all check linux linux-pae linux-amd64 clean
all:

# ---- what the build needs, from Debian -------------------------------------

PACKAGES	:= gcc gcc-multilib binutils nasm make libcmocka-dev libzydis-dev \
		   qemu-system-x86 linux-source-6.1 xz-utils flex bison bc \
		   cpio gzip patch perl python3

# Installed once; the stamp is renewed when the list changes.
$(B)/.deps: Makefile $(wildcard */*.mk tests/*/*.mk)
	@mkdir -p $(@D)
	@missing=; for p in $(PACKAGES); do \
		dpkg -s $$p >/dev/null 2>&1 || missing+=" $$p"; done; \
	if [ -n "$$missing" ]; then \
		sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
		echo "installing from Debian:$$missing"; \
		{ $$sudo apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
			$$sudo apt-get -qq install -y --no-install-recommends \
			$$missing; } >$(B)/deps.log 2>&1 || { \
			echo "make: could not install$$missing;" \
			     "see $(B)/deps.log"; exit 1; }; \
	fi
	@touch $@

# ---- the parts --------------------------------------------------------------

include spec/spec.mk
include rom/rom.mk
include hypervisor-stub/hv.mk
include tests/lib/lib.mk
include tests/bench/bench.mk
include guest-linux/linux.mk
include hypervisor-stub/iso.mk
include tests/tests.mk

# ---- what users type ----------------------------------------------------------

all: roms $(B)/hypervisor-stub.elf \
     $(B)/linux/bzImage $(B)/initramfs.cpio.gz $(B)/tools/vmi-rom
ifeq ($(ARCH),amd64)
all: $(B)/linux-amd64/bzImage $(B)/initramfs-amd64.cpio.gz
endif

linux: $(B)/linux/bzImage

linux-pae: $(B)/linux-pae/bzImage

linux-amd64: $(B)/linux-amd64/bzImage

clean:
	rm -rf $(B)

endif
