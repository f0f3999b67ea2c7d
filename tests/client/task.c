// SPDX-License-Identifier: GPL-2.0-only
/* The old client's tasks: traps, system calls, switches, signals. */
#include "client.h"

#define TASKS		8
#define LDT_ENTRIES	8u
#define MSR_SYSENTER_CS	0x174u
#define CPUID_SEP	0x800u

struct task {
	uint32_t	esp;		/* of switch_to() */
	enum { FREE, READY, WAITING, ZOMBIE } state;
	struct mm	*mm;		/* NULL: uses the one before */
	uint8_t		*stack;
	struct task	*parent;
	uint32_t	status;
	uint64_t	tls[3];
	uint64_t	*ldt;
	uint32_t	iopl;
	uint32_t	gs;
	uint32_t	handler, handler_esp;
	bool		fpu_used, fpu_valid;
	uint8_t		fpu[108];	/* FNSAVE */
};

static struct task tasks[TASKS], *current = &tasks[0];
static bool need_resched;
volatile uint32_t ticks;
uint32_t bad_irets;
static uint32_t kernel_traps;
struct frame last_trap;
uint32_t last_cr2;
void (*vector_hook[256])(struct frame *f);

void trap(struct frame *f);
uint32_t sysenter_call(struct frame *f);
void schedule_tail(void);
static void schedule(void);

/* ---- switches ---------------------------------------------------------------- */

static void fpu_save(struct task *t)
{
	if (!t->fpu_used)
		return;
	__asm__ volatile("fnsave %0\n\tfwait" : "=m"(t->fpu));
	t->fpu_used = false;
	vmi1(SetCR0, vmi0(GetCR0) | CR0_TS);
}

/* What is in the registers is nobody's any more. */
static void fpu_drop(struct task *t)
{
	if (t->fpu_used)
		vmi1(SetCR0, vmi0(GetCR0) | CR0_TS);
	t->fpu_used = t->fpu_valid = false;
}

static void fpu_restore(struct task *t)
{
	vmi0(CLTS);
	if (t->fpu_valid)
		__asm__ volatile("frstor %0" : : "m"(t->fpu));
	else
		__asm__ volatile("fninit");
	t->fpu_used = t->fpu_valid = true;
}

/* Only what differs from what the table in memory says. */
static void load_tls(const struct task *t)
{
	for (uint32_t i = 0; i < 3; i++)
		if (gdt[TLS_FIRST + i] != t->tls[i])
			write_descriptor(TLS_FIRST + i, t->tls[i]);
}

static void load_stack(const struct task *t)
{
	tss[1] = (uintptr_t)t->stack + PAGE;
	vmi2(UpdateKernelStack, KERNEL_DS, tss[1]);
}

static void load_ldt(const struct task *t)
{
	set_ldt(t->ldt, t->ldt ? LDT_ENTRIES : 0);
}

static void switch_tasks(struct task *prev, struct task *next)
{
	__asm__ volatile("mov %%gs, %0" : "=r"(prev->gs));
	lazy(VMI_LAZY_CPU);
	if (next->mm && next->mm != active_mm) {
		active_mm = next->mm;
		vmi1(SetCR3, pa_of(next->mm->root));
	}
	if (next->mm && next->ldt != prev->ldt)
		load_ldt(next);
	fpu_save(prev);
	load_stack(next);
	load_tls(next);
	if (kernel_rpl && prev->iopl != next->iopl)
		vmi1(SetIOPLMask, next->iopl);
	lazy(VMI_LAZY_NONE);
	if ((prev->gs | next->gs) & 0xffff)
		__asm__ volatile("mov %0, %%gs" : : "r"(next->gs));
	current = next;
	switch_to(&prev->esp, next->esp);
}

static void schedule(void)
{
	const uint32_t flags = save_flags();
	uint32_t i = (uint32_t)(current - tasks);

	irq_disable();
	need_resched = false;
	for (uint32_t n = 0; n < TASKS; n++) {
		i = (i + 1) % TASKS;
		if (i && tasks[i].state == READY)
			break;
	}
	if (tasks[i].state != READY)
		i = 0;
	if (&tasks[i] != current)
		switch_tasks(current, &tasks[i]);
	restore_flags(flags);
}

void schedule_tail(void)
{
	irq_disable();
}

void task_tick(void)
{
	ticks++;
	need_resched = true;
}

/* ---- tasks come and go -------------------------------------------------------------- */

static struct task *task_new(struct mm *mm, const struct frame *f)
{
	struct task *t = &tasks[1];
	struct frame *frame;
	uint32_t *sp;

	while (t->state != FREE)
		t++;
	*t = (struct task){ .state = READY, .mm = mm, .parent = current };
	t->stack = alloc_low();
	frame = (struct frame *)(t->stack + PAGE) - 1;
	*frame = *f;
	sp = (uint32_t *)frame;
	*--sp = (uintptr_t)ret_from_fork;
	*--sp = 2;			/* flags */
	sp -= 4;
	t->esp = (uintptr_t)sp;
	return t;
}

static uint32_t sys_fork(const struct frame *f)
{
	struct frame child = *f;
	struct task *t;

	child.eax = 0;
	t = task_new(mm_fork(current->mm), &child);
	fpu_save(current);
	__builtin_memcpy(t->fpu, current->fpu, sizeof(t->fpu));
	t->fpu_valid = current->fpu_valid;
	__builtin_memcpy(t->tls, current->tls, sizeof(t->tls));
	__asm__ volatile("mov %%gs, %0" : "=r"(t->gs));
	t->iopl = current->iopl;
	if (current->ldt) {
		t->ldt = alloc_low();
		__builtin_memcpy(t->ldt, current->ldt, LDT_ENTRIES * 8);
	}
	return (uint32_t)(t - tasks);
}

static void drop_ldt(void)
{
	if (!current->ldt)
		return;
	__asm__ volatile("mov %0, %%gs" : : "r"(0));
	set_ldt(NULL, 0);
	free_low(current->ldt);
	current->ldt = NULL;
}

static void sys_exit(uint32_t status)
{
	drop_ldt();
	mm_destroy(current->mm);
	current->mm = NULL;
	fpu_drop(current);
	current->status = status;
	current->state = ZOMBIE;
	if (current->parent->state == WAITING)
		current->parent->state = READY;
	schedule();
}

static uint32_t sys_wait(void)
{
	for (;;) {
		for (struct task *t = tasks; t < tasks + TASKS; t++)
			if (t->state == ZOMBIE && t->parent == current) {
				free_low(t->stack);
				t->state = FREE;
				return t->status;
			}
		current->state = WAITING;
		schedule();
	}
}

static uint32_t user_va(void (*function)(void))
{
	return USER_TEXT + (uint32_t)((uint8_t *)function - user_begin);
}

static struct frame user_frame(void (*function)(void))
{
	return (struct frame){
		.es = USER_DS, .ds = USER_DS, .eip = user_va(function),
		.cs = USER_CS, .eflags = EFLAGS_FIXED | EFLAGS_IF,
		.esp = USER_STACK_END - 16, .ss = USER_DS,
	};
}

static uint32_t shared_frame;

static struct mm *mm_program(void)
{
	struct mm *const mm = mm_new();

	for (uint32_t at = 0; at < (uint32_t)(user_end - user_begin);
	     at += PAGE) {
		const uint32_t frame = alloc_high();

		__builtin_memcpy(kmap(0, frame), user_begin + at, PAGE);
		kunmap(0);
		mm_map(mm, USER_TEXT + at, frame, PTE_P | PTE_U);
	}
	hold_frame(shared_frame);
	mm_map(mm, USER_SHARED, shared_frame, PTE_P | PTE_W | PTE_U);
	return mm;
}

/* The new space is loaded before the old one goes. */
static void sys_exec(struct frame *f)
{
	struct mm *const old = current->mm;

	drop_ldt();
	current->mm = mm_program();
	active_mm = current->mm;
	vmi1(SetCR3, pa_of(active_mm->root));
	mm_destroy(old);
	fpu_drop(current);
	*f = user_frame(user_exec_main);
}

/* ---- system calls ------------------------------------------------------------------------ */

static uint64_t user_segment(uint32_t base)
{
	return 0x00cff2000000ffffull | (uint64_t)(base & 0xffffff) << 16 |
	       (uint64_t)(base >> 24) << 56;
}

static void sys_ldt(uint32_t base)
{
	const uint64_t d = user_segment(base);

	if (!current->ldt) {
		current->ldt = alloc_low();
		load_ldt(current);
	}
	vmi4(VMI_CALL_WriteLDTEntry, (uintptr_t)current->ldt, 0, (uint32_t)d,
	     (uint32_t)(d >> 32));
}

static void sys_iopl(struct frame *f, uint32_t level)
{
	current->iopl = level << 12;
	f->eflags = (f->eflags & ~EFLAGS_IOPL) | current->iopl;
	vmi1(SetIOPLMask, current->iopl);
}

/* As sigreturn does with a frame that the user has spoilt. */
static void sys_badret(struct frame *f, uint32_t what)
{
	static const uint32_t bad_cs[] = { 0x5b, USER_CS, 3 };

	f->cs = bad_cs[what];
	if (what == 1)
		f->ss = 0x5b;
}

static uint32_t system_call(struct frame *f)
{
	switch (f->eax) {
	case SYS_EXIT:
		sys_exit(f->ebx);
		break;
	case SYS_FORK:
		return sys_fork(f);
	case SYS_WAIT:
		return sys_wait();
	case SYS_YIELD:
		schedule();
		break;
	case SYS_CHECK:
		check_done(f->ebx, f->ecx);
		break;
	case SYS_BADRET:
		sys_badret(f, f->ebx);
		break;
	case SYS_SIGNAL:
		current->handler = f->ebx;
		current->handler_esp = f->ecx;
		break;
	case SYS_LDT:
		sys_ldt(f->ebx);
		break;
	case SYS_TLS:
		current->tls[0] = user_segment(f->ebx);
		load_tls(current);
		break;
	case SYS_IOPL:
		sys_iopl(f, f->ebx);
		break;
	case SYS_EXEC:
		sys_exec(f);
		break;
	case SYS_VM86:
		f->eflags |= EFLAGS_VM;
		break;
	}
	return f->eax;
}

uint32_t sysenter_call(struct frame *f)
{
	f->eax = system_call(f);
	return f->eax;
}

/* ---- traps --------------------------------------------------------------------------------- */

static void __attribute__((noreturn)) oops(const struct frame *f)
{
	print("Bail out! trap %x error %x at %x:%x flags %x cr2 %x eax %x "
	      "ebx %x ecx %x edx %x ebp %x esp %x\n", f->vector, f->error,
	      f->cs, f->eip, f->eflags, last_cr2, f->eax, f->ebx, f->ecx,
	      f->edx, f->ebp, (uint32_t)(uintptr_t)&f->esp);
	vmi0(Shutdown);
	for (;;)
		;
}

static void signal(struct frame *f)
{
	if (!current->handler)
		oops(f);
	f->eax = f->vector;
	f->eip = current->handler;
	f->esp = current->handler_esp;
	f->cs = USER_CS;
	f->ss = f->ds = f->es = USER_DS;
	f->eflags = EFLAGS_FIXED | EFLAGS_IF;
	current->handler = 0;
}

/* The two places whose faults are expected. */
static void kernel_fault(struct frame *f)
{
	last_trap = *f;
	if (f->eip == (uintptr_t)irq_return)
		f->eip = (uintptr_t)iret_exc;
	else if (f->vector == VEC_PF && f->eip - (uintptr_t)wp_write <
		 (uintptr_t)(wp_fixup - (uintptr_t)wp_write))
		f->eip = (uintptr_t)wp_fixup;
	else
		oops(f);
}

static void user_fault(struct frame *f)
{
	if (f->vector == VEC_NM)
		fpu_restore(current);
	else if (f->vector != VEC_PF || !mm_fault(last_cr2, f->error))
		signal(f);
}

void trap(struct frame *f)
{
	const bool user = (f->cs & 3) == 3 || f->vector == VEC_BAD_IRET;

	if (!trap_init_done) {
		print("Bail out! Int %u before trap_init at %x\n", f->vector,
		      f->eip);
		for (;;)
			;
	}
	if (f->vector == VEC_PF)
		last_cr2 = vmi0(GetCR2);
	if (f->vector < 256 && vector_hook[f->vector]) {
		vector_hook[f->vector](f);
	} else if (f->vector == VEC_SYSCALL) {
		if (user)
			f->eax = system_call(f);
		else
			kernel_traps++;
	} else if (f->vector == VEC_BAD_IRET) {
		bad_irets++;
		signal(f);
	} else if (user) {
		if (f->eflags & EFLAGS_IF)	/* the virtual one */
			irq_enable();
		user_fault(f);
	} else {
		kernel_fault(f);
		return;
	}
	irq_disable();
	while (user && need_resched)
		schedule();
}

/* ---- the first task ----------------------------------------------------------------------------- */

static bool sysenter_init(void)
{
	const uint32_t behind = (uintptr_t)tss + sizeof(tss);
	uint32_t r[4];

	vmi_cpuid(1, r);
	if (!(r[3] & CPUID_SEP))
		return false;
	tss[3] = behind;
	tss[4] = KERNEL_CS;
	wrmsr(MSR_SYSENTER_CS, KERNEL_CS);
	wrmsr(MSR_SYSENTER_CS + 1, behind);
	wrmsr(MSR_SYSENTER_CS + 2, (uintptr_t)sysenter_entry);
	return true;
}

static uint32_t thread_flags;

static void thread(void)
{
	thread_flags = save_flags();
}

void run_tasks(void)
{
	struct shared *s;
	struct frame f = user_frame(user_main);
	struct task *t;

	kernel_thread(thread, KERNEL_CS | kernel_rpl);
	same(thread_flags & EFLAGS_IF, EFLAGS_IF,
	     "a kernel thread begins with interrupts on");
	irq_disable();
	kernel_int80(0);
	same(kernel_traps, 1, "the kernel's own INT 80h comes and goes");
	current->stack = alloc_low();	/* named, but not used */
	current->state = READY;
	shared_frame = alloc_high();
	s = kmap(0, shared_frame);
	*s = (struct shared){
		.has_sep = sysenter_init(), .has_nx = pae && nx,
		.is_ring0 = !kernel_rpl,
	};
	kunmap(0);
	t = task_new(mm_program(), &f);
	while (t->state != ZOMBIE) {
		schedule();
		if (t->state != READY && t->state != ZOMBIE)
			vmi0(Halt);
		irq_disable();
	}
	same(t->status, 0, "the first program ends with status 0");
	free_low(t->stack);
	t->state = FREE;
}
