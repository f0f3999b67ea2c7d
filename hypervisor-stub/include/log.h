/* SPDX-License-Identifier: GPL-2.0-only */
/* The hypervisor's own words. */
#ifndef LOG_H
#define LOG_H

void __attribute__((format(printf, 1, 2))) log_printf(const char *fmt, ...);

/* For one that ends the machine, and may have been interrupted in the midst of a
 * word: no other processor runs any more. */
void log_last_words(void);

/* Our own mistake: the end of everything. */
#define panic(...)	panic_at(__FILE__, __LINE__, __VA_ARGS__)
void __attribute__((noreturn, format(printf, 3, 4)))
panic_at(const char *file, int line, const char *fmt, ...);
/* What is told beside the text, once there is anything to tell. */
extern void (*panic_tells)(void);
#define hv_assert(c)	do { if (!(c)) panic("assertion %s", #c); } while (0)

/* What the user gave us cannot work: one line, then the end. */
void __attribute__((noreturn, format(printf, 1, 2)))
bad_input(const char *fmt, ...);

#endif
