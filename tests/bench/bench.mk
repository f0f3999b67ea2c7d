# SPDX-License-Identifier: GPL-2.0-only
# make bench: what VMI costs against native, operation by operation.

PACKAGES	+= gnuplot-nox
I_BENCH		:= $(addprefix $(B)/initramfs/,bench bench_smp)
I_EXTRA		+= $(I_BENCH)
I64_EXTRA	+= $(B)/initramfs-amd64/bench

BENCH_CFLAGS	:= -O2 -std=gnu11 -ffreestanding -fno-pic -no-pie -static \
		   -nostdlib -fno-stack-protector -fcf-protection=none \
		   -mgeneral-regs-only $(WARN) \
		   -Wl,--build-id=none,-z,noexecstack,-s

$(B)/initramfs/bench: tests/bench/bench.c
$(B)/initramfs/bench_smp: tests/bench/smp.c
$(I_BENCH): tests/bench/program.h | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@gcc -m32 -march=i686 -mregparm=3 $(BENCH_CFLAGS) -o $@ $(filter %.c,$^)

$(B)/initramfs-amd64/bench: tests/bench/bench.c tests/bench/program.h | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@gcc -m64 -mno-red-zone $(BENCH_CFLAGS) -o $@ $(filter %.c,$^)

include tests/bench/micro/micro.mk

# A plugin of QEMU's: it finds the functions it calls in QEMU itself.
PROFILER	:= $(B)/tools/profile.so

$(PROFILER): tests/bench/profile.c tests/bench/qemu_plugin.h | $(B)/.deps
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(HOSTCC) $(HOSTCFLAGS) -fPIC -shared -fvisibility=hidden -o $@ $<

all: $(PROFILER)

.PHONY: bench bench-wall bench-micro profile performance-md
# The rows for one processor are those of a kernel for one.
bench bench-wall profile: $(B)/linux-up/bzImage $(B)/linux-amd64/bzImage \
			 $(B)/initramfs-amd64.cpio.gz
bench: all $(B)/bench/micro.elf
	@tests/bench/bench.py
	@tests/bench/smp.py
	@tests/bench/micro.py

bench-micro: all $(B)/bench/micro.elf
	@tests/bench/micro.py

bench-wall: all
	@tests/bench/bench.py --wall
	@tests/bench/smp.py --wall

# OP: an operation of bench.c; all of the run without it.
profile: all
	@tests/bench/profile.py $(OP)

# The tables of spec/performance.md from what make bench has measured last.
performance-md: all
	@tests/bench/performance.py
