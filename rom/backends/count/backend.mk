# SPDX-License-Identifier: GPL-2.0-only
# IRET and SYSEXIT are those of the native backend, which this one includes.
$(B)/rom/count-hot.o: rom/backends/native/hot.asm
