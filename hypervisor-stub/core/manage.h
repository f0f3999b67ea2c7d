/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Of manage.c, for dispatch.c. The result is what the call's is; all with the lock of
 * the guest that it is about, but manage_create(), which takes none of the caller's.
 */
#ifndef CORE_MANAGE_H
#define CORE_MANAGE_H

#include "dispatch.h"
#include "loader.h"

int64_t manage_create(struct vcpu *, uint64_t pa);
int64_t manage_start(struct guest *);
int64_t manage_pause(struct guest *);
int64_t manage_resume(struct guest *);
int64_t manage_reset(struct guest *);
int64_t manage_destroy(struct guest *);
int64_t manage_console_read(struct vcpu *, struct guest *, uint64_t pa,
			    uint64_t bytes);
int64_t manage_console_write(struct vcpu *, struct guest *, uint64_t pa,
			     uint64_t bytes);
void manage_stats(const struct guest *, struct vmi_guest_stats *);

#endif
