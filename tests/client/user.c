// SPDX-License-Identifier: GPL-2.0-only
/*
 * What runs in the old client's user mode: copied to USER_TEXT page by page,
 * so no constants in memory, no calls of what is not in this section.
 */
#include "client.h"

#define USER __attribute__((section(".user"), noinline))
#define ROUNDS		20u
#define MANY_TASKS	100u

#define SHARED	((struct shared *)USER_SHARED)
#define DATA	((volatile uint32_t *)USER_DATA)

static inline __attribute__((always_inline))
uint32_t sys(uint32_t nr, uint32_t a, uint32_t b)
{
	__asm__ volatile("int $0x80"
			 : "+a"(nr) : "b"(a), "c"(b) : "memory", "cc");
	return nr;
}
#define check(name, good) sys(SYS_CHECK, CHECK_##name, good)

/* The vector of the signal that the instructions raise, or -1. */
#define SIGNAL_OF(instructions) ({					\
	uint32_t vector_;						\
	__asm__ volatile("call 1f\n1:\tpop %%ebx\n\t"			\
			 "add $2f - 1b, %%ebx\n\tmov %%esp, %%ecx\n\t"	\
			 "mov %1, %%eax\n\tint $0x80\n\t"		\
			 instructions "\n\tmov $-1, %%eax\n2:"		\
			 : "=a"(vector_) : "i"(SYS_SIGNAL),		\
			   "i"(SYS_BADRET), "i"(SYS_VM86),		\
			   "i"(USER_DATA)				\
			 : "ebx", "ecx", "edx", "memory", "cc");	\
	vector_;							\
})

USER void user_main(void);
USER void user_exec_main(void);
USER static void memory(void);
USER static void registers_of(uint32_t id);
USER static void switches(void);
USER static void preemption(void);
USER static void faults(void);
USER static void fast_calls(void);
USER static void many(void);
USER static void programs(void);

USER static void memory(void)
{
	uint32_t status;

	check(ZEROED, DATA[0] == 0 && DATA[5000] == 0);
	DATA[0] = 0x1234;
	DATA[2] = 0x4321;
	check(DATA, DATA[0] == 0x1234 && DATA[2] == 0x4321);
	if (!sys(SYS_FORK, 0, 0)) {
		check(COW_CHILD, DATA[0] == 0x1234);
		DATA[0] = 0x5678;
		sys(SYS_YIELD, 0, 0);
		check(COW_CHILD, DATA[0] == 0x5678 && DATA[2] == 0x4321);
		sys(SYS_EXIT, 42, 0);
	}
	DATA[2] = 0x8765;
	status = sys(SYS_WAIT, 0, 0);
	check(STATUS, status == 42);
	check(COW_PARENT, DATA[0] == 0x1234 && DATA[2] == 0x8765);
}

/* FPU, TLS and LDT of one task, while another one has others. */
USER static void registers_of(uint32_t id)
{
	volatile uint32_t *const mine = DATA + 16 * id;	/* bases differ */
	bool fpu = true, tls = true, ldt = true, iopl = true;
	uint32_t value;

	mine[0] = id;
	mine[1] = id + 1;
	sys(SYS_TLS, (uintptr_t)mine, 0);
	sys(SYS_LDT, (uintptr_t)(mine + 1), 0);
	sys(SYS_IOPL, id == 1 ? 3 : 0, 0);
	__asm__ volatile("fildl %0" : : "m"(mine[0]));
	for (uint32_t i = 0; i < ROUNDS; i++) {
		sys(SYS_YIELD, 0, 0);
		__asm__ volatile("fistl %0" : "=m"(value));
		fpu &= value == id;
		__asm__ volatile("mov %1, %%gs\n\tmov %%gs:0, %0"
				 : "=r"(value) : "r"(TLS_FIRST * 8 + 3));
		tls &= value == id;
		sys(SYS_YIELD, 0, 0);	/* TLS in GS, kept over the switch */
		__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
		tls &= value == id;
		__asm__ volatile("mov %1, %%gs\n\tmov %%gs:0, %0"
				 : "=r"(value) : "r"(7));
		ldt &= value == id + 1;
		if (i % 4 == 0) {
			sys(SYS_YIELD, 0, 0);	/* and the LDT's */
			__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
			ldt &= value == id + 1;
		}
		value = SIGNAL_OF("in $0x80, %%al");
		iopl &= value == (id == 1 ? 0xffffffff : VEC_GP);
	}
	__asm__ volatile("mov %0, %%gs" : : "r"(0));
	check(FPU, fpu);
	check(TLS, tls);
	check(LDT, ldt);
	check(IOPL, iopl);
	__asm__ volatile("fstpl %0" : "=m"(mine[4]));
}

USER static void switches(void)
{
	if (!sys(SYS_FORK, 0, 0)) {
		registers_of(2);
		sys(SYS_EXIT, 0, 0);
	}
	if (!sys(SYS_FORK, 0, 0)) {
		registers_of(3);
		sys(SYS_EXIT, 0, 0);
	}
	if (!sys(SYS_FORK, 0, 0)) {
		for (uint32_t i = 0; i < ROUNDS; i++) {
			sys(SYS_YIELD, 0, 0);
			check(LDT_GONE, SIGNAL_OF("mov $7, %%eax\n\t"
						  "mov %%eax, %%gs") ==
			      VEC_GP);
		}
		sys(SYS_EXIT, 0, 0);
	}
	registers_of(1);
	for (uint32_t i = 0; i < 3; i++)
		sys(SYS_WAIT, 0, 0);
	sys(SYS_IOPL, 0, 0);
}

/* Neither gives the processor up. */
USER static void preemption(void)
{
	if (!sys(SYS_FORK, 0, 0)) {
		SHARED->started = 1;
		while (!SHARED->go)
			;
		sys(SYS_EXIT, 17, 0);
	}
	while (!SHARED->started)
		;
	SHARED->go = 1;
	check(PREEMPTED, sys(SYS_WAIT, 0, 0) == 17);
}

USER static void faults(void)
{
	volatile uint8_t *const code = (uint8_t *)USER_DATA;

	check(SEGV, SIGNAL_OF("movl $1, 64") == VEC_PF);
	check(SEGV, SIGNAL_OF("movl $1, 0xc0100000") == VEC_PF);
	check(SEGV, SIGNAL_OF("movl $1, 0xfffffff0") == VEC_PF);
	check(SEGV, SIGNAL_OF("mov %%ebx, (%%ebx)") == VEC_PF);
	check(DIVIDE, SIGNAL_OF("xor %%ecx, %%ecx\n\tdiv %%ecx") == VEC_DIVIDE);
	check(PRIVILEGED, SIGNAL_OF("hlt") == VEC_GP);
	check(PRIVILEGED, SIGNAL_OF("cli") == VEC_GP);
	check(PRIVILEGED, SIGNAL_OF("int $0x21") == VEC_GP);
	check(PRIVILEGED, SIGNAL_OF("ud2") == VEC_UD);
	check(BAD_CS, SIGNAL_OF("mov %2, %%eax\n\tmov $0, %%ebx\n\t"
				"int $0x80") == VEC_BAD_IRET);
	check(BAD_SS, SIGNAL_OF("mov %2, %%eax\n\tmov $1, %%ebx\n\t"
				"int $0x80") == VEC_BAD_IRET);
	check(BAD_NULL, SIGNAL_OF("mov %2, %%eax\n\tmov $2, %%ebx\n\t"
				  "int $0x80") == VEC_BAD_IRET);
	if (!SHARED->is_ring0)
		check(VM86, SIGNAL_OF("mov %3, %%eax\n\tint $0x80") ==
		      VEC_BAD_IRET);
	if (SHARED->has_nx) {
		code[64] = 0xc3;
		check(NX_DATA, SIGNAL_OF("mov %4 + 64, %%ebx\n\tcall *%%ebx") ==
		      VEC_PF);
	}
}

USER static void fast_calls(void)
{
	uint32_t eax, ebx, esi, edi;
	bool kept = true;

	if (!SHARED->has_sep)
		return;
	for (uint32_t i = 0; i < MANY_TASKS; i++) {
		eax = SYS_KERNEL;
		ebx = 0xb0000000 + i;
		esi = 0x50000000 + i;
		edi = 0xd0000000 + i;
		__asm__ volatile("push %%ebp\n\tcall 1f\n1:\t"
				 "addl $2f - 1b, (%%esp)\n\t"
				 "mov %%esp, %%ebp\n\tsysenter\n2:\t"
				 "add $4, %%esp\n\tpop %%ebp"
				 : "+a"(eax), "+b"(ebx), "+S"(esi), "+D"(edi)
				 : : "ecx", "edx", "memory", "cc");
		kept &= eax == SYS_KERNEL && ebx == 0xb0000000 + i &&
			esi == 0x50000000 + i && edi == 0xd0000000 + i;
	}
	check(SYSENTER, kept);
}

USER static void many(void)
{
	bool right = true;
	uint32_t sum;

	for (uint32_t i = 0; i < MANY_TASKS; i++) {
		if (!sys(SYS_FORK, 0, 0)) {
			for (uint32_t page = 0; page < 6; page++)
				DATA[page * 1024 + i] = i + page;
			sys(SYS_YIELD, 0, 0);
			sum = 0;
			for (uint32_t page = 0; page < 6; page++)
				sum += DATA[page * 1024 + i] - i;
			sys(SYS_EXIT, sum + i, 0);
		}
		DATA[i] = i;
		right &= sys(SYS_WAIT, 0, 0) == 15 + i && DATA[i] == i;
	}
	check(MANY, right);
}

USER static void programs(void)
{
	DATA[0] = 5;
	if (!sys(SYS_FORK, 0, 0))
		sys(SYS_EXEC, 0, 0);
	check(EXEC, sys(SYS_WAIT, 0, 0) == 7 && DATA[0] == 5);
}

USER void user_exec_main(void)
{
	const bool zero = DATA[0] == 0;

	DATA[0] = 6;
	check(EXEC, zero && DATA[0] == 6);
	sys(SYS_EXIT, 7, 0);
}

USER void user_main(void)
{
	memory();
	switches();
	preemption();
	faults();
	fast_calls();
	many();
	programs();
	sys(SYS_EXIT, 0, 0);
}
