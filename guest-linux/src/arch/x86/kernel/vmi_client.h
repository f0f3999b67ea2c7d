/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the parts of the VMI client: vmi.c (calls), vmi_32.c and vmi_64.c
 * (where these differ), vmi_time.c (timer and clocks), vmi_smp.c (several
 * processors), vmi_sysfs.c (/sys/hypervisor), vmi_dev.c (/dev/vmi) and vmi_comm.c
 * (shared variables).
 */
#ifndef VMI_CLIENT_H
#define VMI_CLIENT_H

#include <linux/init.h>
#include <linux/percpu.h>
#include <asm/page.h>
#include <asm/vmi64.h>

/* The ROM that the kernel runs on; NULL on bare hardware. */
extern const struct vmi_rom_header *vmi_rom;

/* A string of the ROM, of which the header holds the offset. */
static inline const char *vmi_rom_string(u16 offset)
{
	return offset ? (const char *)vmi_rom + offset : "unknown";
}

/* NULL if there is no such structure. */
static inline const void *vmi_rom_struct(u16 offset)
{
	return offset ? (const char *)vmi_rom + offset : NULL;
}

static inline unsigned int vmi_ring(void)
{
	unsigned int cs;

	asm("mov %%cs, %0" : "=r" (cs));
	return cs & 3;
}

#ifdef CONFIG_X86_64
#define VMI_ROM_SIGNATURE	VMI64_SIGNATURE
#define VMI_ROM_API		VMI64_API_MAJOR

/* For AllocatePage and ReleasePage: the form of entries, and the top level. */
#define VMI_PAGE_FORMAT		0
#define VMI_PAGE_TOP		VMI_PAGE_PML4

void __init vmi_map_low_memory(void);

/* Executable, and where a direct call of the kernel reaches it. */
static inline const void *vmi_low_memory(unsigned long pa)
{
	return (void *)(__START_KERNEL_map + pa);
}

static inline bool vmi_is_jump(u32 nr)
{
	return nr == VMI64_CALL_IRET || nr == VMI64_CALL_SwapGSIRET;
}
#else
#define VMI_ROM_SIGNATURE	VMI_SIGNATURE
#define VMI_ROM_API		VMI_API_MAJOR

#define VMI_PAGE_FORMAT		(IS_ENABLED(CONFIG_X86_PAE) ? VMI_PAGE_PAE : 0)
#define VMI_PAGE_TOP		VMI_PAGE_PD	/* with PAE, too */

static inline void vmi_map_low_memory(void) { }

static inline const void *vmi_low_memory(unsigned long pa)
{
	return __va(pa);
}

static inline bool vmi_is_jump(u32 nr)
{
	return nr == VMI_CALL_IRET || nr == VMI_CALL_SYSEXIT;
}
#endif

#ifdef CONFIG_VMI
/*
 * A call to the hypervisor proper (spec/neighbours.md, N-2); NULL if the ROM makes
 * none. Below 0 the result is an error of Linux's.
 */
extern long (*vmi_hypercall)(u32 nr, unsigned long a0, unsigned long a1,
			     unsigned long a2);

/* The same with all of its arguments. */
static inline long vmi_hypercall4(u32 nr, unsigned long a0, unsigned long a1,
				  unsigned long a2, unsigned long a3)
{
	long (*call)(u32, unsigned long, unsigned long, unsigned long,
		     unsigned long) = (void *)vmi_hypercall;

	return call(nr, a0, a1, a2, a3);
}

/* A leaf of CPUID that the OpenVMI hypervisor has; zeros if it is another. */
void vmi_hypervisor_leaf(u32 leaf, u32 r[4]);

/* The next thing is the end, in order. */
void vmi_comm_ends(void);

void __init vmi_init(void);
void __init vmi_time_init(void);

/*
 * The function behind a call; NULL if the ROM leaves the native instruction
 * in place, paravirt_nop if there is nothing to do. A call of both interfaces
 * has one number.
 */
void * __init vmi_function(u32 nr);

/* Of vmi_32.c or vmi_64.c: what get-relocation says, an enum vmi_reloc_type. */
u8 __init vmi_get_relocation(u32 nr, void **address);
/* The way back to where an exception came from. */
void __init vmi_fill_return(void);
/* The calls that are not the same for both. */
void __init vmi_fill_width(void);
#else
static inline void vmi_init(void) { }
#endif

#if defined(CONFIG_VMI) && defined(CONFIG_X86_64)
void vmi_syscall_init(void);
#else
static inline void vmi_syscall_init(void) { }
#endif

#ifdef CONFIG_X86_64
#define VMI_NR(call)	VMI64_CALL_##call
#else
#define VMI_NR(call)	VMI_CALL_##call
#endif

/* Let the ROM's function stand in pv_ops itself. */
#define vmi_fill(op, call) do {						\
	void *rom_ = vmi_function(VMI_NR(call));			\
									\
	if (rom_)							\
		pv_ops.op = rom_;					\
} while (0)

/* Keep the ROM's function, in a structure "vmi"; true if there is one. */
#define vmi_get(name, call) ({						\
	void *rom_ = vmi_function(VMI_NR(call));			\
									\
	if (rom_ == paravirt_nop)					\
		rom_ = NULL;						\
	vmi.name = rom_;						\
	!!rom_;								\
})

/* Let a function of ours, which calls the ROM's, stand in pv_ops. */
#define vmi_wrap(op, name, call, wrapper) do {				\
	if (vmi_get(name, call))					\
		pv_ops.op = wrapper;					\
} while (0)

#ifdef CONFIG_SMP
void __init vmi_smp_init(void);

/*
 * For SetInitialAPState: start_secondary() gets what the end of the trampoline
 * gives it on bare hardware, but for the boot page tables, which it leaves at
 * once. For one processor at a time.
 */
const void *vmi_initial_ap_state(void);
#else
static inline void vmi_smp_init(void) { }
#endif

#ifdef CONFIG_X86_LOCAL_APIC
/* Of apic.c: what the interrupt of the local timer calls. */
DECLARE_PER_CPU(struct clock_event_device, lapic_events);
#endif

#endif
