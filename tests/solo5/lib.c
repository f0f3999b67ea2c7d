// SPDX-License-Identifier: GPL-2.0-only
/* See lib.h. */
#include <stdarg.h>

#include "lib.h"

/* ---- the way in ---------------------------------------------------------------- */

static const struct {
	uint32_t namesz, descsz, type;
	char name[8];
	struct solo5_abi abi;
} abi_note __attribute__((section(".note.abi"), aligned(4), used)) = {
	sizeof(SOLO5_NOTE_NAME), sizeof(struct solo5_abi), SOLO5_NOTE_ABI,
	SOLO5_NOTE_NAME,
	{ SOLO5_TARGET_HVT, SOLO5_ABI_VERSION, { 0, 0 } }
};

/* So that no system runs it by mistake. */
static const char interpreter[] __attribute__((section(".interp"), used)) =
	"/nonexistent/solo5/";

/* As called: the stack is like behind a CALL. */
void __attribute__((noreturn)) start(const struct solo5_boot_info *);
void start(const struct solo5_boot_info *info)
{
	halt(run(info), NULL);
}

/* ---- calls ---------------------------------------------------------------------- */

uint64_t walltime(void)
{
	volatile struct solo5_walltime b = { 0 };

	call(SOLO5_WALLTIME, &b);
	return b.ns;
}

static void say_bytes(const char *s, size_t len)
{
	volatile struct solo5_puts b = { (uintptr_t)s, len };

	call(SOLO5_PUTS, &b);
}

void say(const char *s)
{
	say_bytes(s, strlen(s));
}

int poll(uint64_t ns, uint64_t *ready)
{
	volatile struct solo5_poll b = { ns, 0, 0, 0 };

	call(SOLO5_POLL, &b);
	*ready = b.ready;
	return b.ret;
}

int block_write(uint64_t handle, uint64_t offset, const void *data, size_t len)
{
	volatile struct solo5_block b = {
		handle, offset, (uintptr_t)data, len, -1, 0
	};

	call(SOLO5_BLOCK_WRITE, &b);
	return b.ret;
}

int block_read(uint64_t handle, uint64_t offset, void *data, size_t len)
{
	volatile struct solo5_block b = {
		handle, offset, (uintptr_t)data, len, -1, 0
	};

	call(SOLO5_BLOCK_READ, &b);
	return b.ret;
}

int net_write(uint64_t handle, const void *data, size_t len)
{
	volatile struct solo5_net b = { handle, (uintptr_t)data, len, -1, 0 };

	call(SOLO5_NET_WRITE, &b);
	return b.ret;
}

int net_read(uint64_t handle, void *data, size_t *len)
{
	volatile struct solo5_net b = { handle, (uintptr_t)data, *len, -1, 0 };

	call(SOLO5_NET_READ, &b);
	*len = b.len;
	return b.ret;
}

void halt(int status, const void *cookie)
{
	volatile struct solo5_halt b = { (uintptr_t)cookie, status, 0 };

	call(SOLO5_HALT, &b);
	__builtin_trap();
}

/* ---- text ------------------------------------------------------------------------ */

void *memcpy(void *dst, const void *src, size_t n)
{
	void *d = dst;

	asm volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(n) : : "memory");
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	void *d = dst;

	asm volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n && *x == *y; n--, x++, y++)
		;
	return n ? *x - *y : 0;
}

size_t strlen(const char *s)
{
	const char *at = s;

	while (*at)
		at++;
	return at - s;
}

bool same(const char *a, const char *b)
{
	return strlen(a) == strlen(b) && !memcmp(a, b, strlen(a));
}

static char line[1024];
static size_t used;

static void add(const char *s)
{
	while (*s && used < sizeof(line))
		line[used++] = *s++;
}

static void add_number(uint64_t n, uint32_t base)
{
	char digits[24], *at = digits + sizeof(digits) - 1;

	*at = 0;
	do
		*--at = "0123456789abcdef"[n % base];
	while (n /= base);
	add(at);
}

void print(const char *fmt, ...)
{
	char one[2] = { 0 };
	va_list ap;
	int n;

	used = 0;
	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		one[0] = *fmt;
		if (*fmt != '%') {
			add(one);
			continue;
		}
		fmt++;
		if (*fmt == 's') {
			add(va_arg(ap, const char *));
		} else if (*fmt == 'd') {
			n = va_arg(ap, int);
			add(n < 0 ? "-" : "");
			add_number(n < 0 ? -(int64_t)n : n, 10);
		} else if (*fmt == 'l') {	/* lx */
			fmt++;
			add_number(va_arg(ap, uint64_t), 16);
		}
	}
	va_end(ap);
	say_bytes(line, used);
}

/* ---- traps ------------------------------------------------------------------------ */

#define TRAPS		21

/* SDM Vol. 3, 6.14.1 and 7.7. */
struct gate {
	uint16_t	offset_low, cs;
	uint8_t		ist, type;
	uint16_t	offset_mid;
	uint32_t	offset_high, reserved;
};

struct tss {
	uint32_t	reserved;
	uint64_t	rsp[3], reserved2, ist[7], reserved3;
	uint16_t	reserved4, iomap;
} __attribute__((packed));

struct pointer {
	uint16_t	limit;
	uint64_t	base;
} __attribute__((packed));

extern const uint8_t trap_stubs[TRAPS][16];

static struct gate idt[48];
static struct tss tss;
static uint64_t gdt[5] = {
	0, 0x00af99000000ffff, 0x00cf93000000ffff, 0, 0
};
static uint8_t stack[3][4096] __attribute__((aligned(16)));

void traps_init(void)
{
	const struct pointer gdtr = { sizeof(gdt) - 1, (uintptr_t)gdt };
	const struct pointer idtr = { sizeof(idt) - 1, (uintptr_t)idt };
	uint64_t base = (uintptr_t)&tss, at;
	uint32_t i;

	for (i = 0; i < 3; i++)
		tss.ist[i] = (uintptr_t)(stack[i] + sizeof(stack[i]));
	gdt[3] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 |
		 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	gdt[4] = base >> 32;
	for (i = 0; i < TRAPS; i++) {
		at = (uintptr_t)trap_stubs[i];
		idt[i] = (struct gate){
			at, SOLO5_CS, i == 2 || i == 8 ? 3 : 2, 0x8e, at >> 16,
			at >> 32, 0
		};
	}
	/* As bindings do. */
	asm volatile("cli; lgdt %0" : : "m"(gdtr));
	asm volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1:"
		     : : "i"(SOLO5_CS) : "rax", "memory");
	asm volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%ss"
		     : : "r"(SOLO5_DS));
	asm volatile("mov %0, %%fs; mov %0, %%gs" : : "r"(0));
	asm volatile("ltr %w0" : : "r"(3 * 8));
	asm volatile("lidt %0" : : "m"(idtr));
}

uint32_t trap_resumes;

void trap(uint64_t vector, const struct trap *);
void trap(uint64_t vector, const struct trap *t)
{
	if (vector == 3 && trap_resumes) {
		trap_resumes--;
		return;
	}
	print("trap %lx error %lx rip %lx cs %lx rsp %lx ss %lx\n", vector,
	      t->error, t->rip, t->cs, t->rsp, t->ss);
	if (vector == 14)
		print("cr2 %lx\n", t->cr2);
	say("ABORT\n");
	halt(255, t);
}
