/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of vmictl have in common. */
#ifndef VMICTL_H
#define VMICTL_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/vmi.h>

extern int device;		/* /dev/vmi */

/* With this status, and a line that says why: 1 it could not be done, 2 usage. */
void __attribute__((noreturn, format(printf, 2, 3)))
end(int status, const char *fmt, ...);
#define fail(...)	end(1, __VA_ARGS__)
#define usage(...)	end(2, __VA_ARGS__)

/* False: there is none, or it is out of reach. */
bool get_info(uint32_t guest, struct vmi_guest_info *info);
/* It has ended, has not begun or is gone. */
bool is_over(uint32_t guest);
/* Until it has ended and said all, or the user leaves (vmictl_console.c). */
void console(uint32_t guest);

#endif
