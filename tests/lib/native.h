/* SPDX-License-Identifier: GPL-2.0-only */
/* What a guest does by itself where the ROM answers "none" (VMI-2.5.1). */
#ifndef NATIVE_H
#define NATIVE_H

/* Its own instruction for each such call. */
void native_fill(void);

#endif
