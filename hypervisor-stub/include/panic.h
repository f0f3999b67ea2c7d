/* SPDX-License-Identifier: GPL-2.0-only */
/* Our own mistake: the end of everything. */
#ifndef PANIC_H
#define PANIC_H

#define panic(...)	panic_at(__FILE__, __LINE__, __VA_ARGS__)
void __attribute__((noreturn, format(printf, 3, 4)))
panic_at(const char *file, int line, const char *fmt, ...);
#define hv_assert(c)	do { if (!(c)) panic("assertion %s", #c); } while (0)

#endif
