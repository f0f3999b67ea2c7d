// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypervisor's own words: to the debug port, which vmi-run (and Bochs)
 * writes to a file. Without one, as on a real machine, they go among the
 * guest's on the serial port. And how the machine ends.
 */
#include <cpu.h>
#include <stdarg.h>

#include "hv.h"

#define LOG_PORT	0xe9	/* isa-debugcon */
#define EXIT_PORT	0xf4	/* isa-debug-exit */
#define BOCHS_PORT	0x8900

void log_char(char c)
{
	/* The debug port reads as its own number. */
	if (inb(LOG_PORT) == LOG_PORT) {
		outb(LOG_PORT, c);
		return;
	}
	if (c == '\n')
		io_serial_tx('\r');
	io_serial_tx(c);
}

static void put_number(uint64_t val, unsigned int base, int width, char pad,
		       bool negative)
{
	char digits[24];
	int n = 0;

	do
		digits[n++] = "0123456789abcdef"[val % base];
	while (val /= base);
	if (negative)
		digits[n++] = '-';
	while (width-- > n)
		log_char(pad);
	while (n)
		log_char(digits[--n]);
}

/* %c %s %d %u %x, with l, a width and zero padding; %.*s. */
static void log_vprintf(const char *fmt, va_list ap)
{
	for (; *fmt; fmt++) {
		char pad = ' ';
		int width = 0, max = -1;
		bool is_long = false;
		const char *s;
		int64_t val;

		if (*fmt != '%') {
			log_char(*fmt);
			continue;
		}
		if (*++fmt == '0')
			pad = *fmt++;
		while (*fmt >= '0' && *fmt <= '9')
			width = width * 10 + *fmt++ - '0';
		if (fmt[0] == '.' && fmt[1] == '*') {
			max = va_arg(ap, int);
			fmt += 2;
		}
		for (; *fmt == 'l'; fmt++)
			is_long = true;
		switch (*fmt) {
		case 'c':
			log_char(va_arg(ap, int));
			break;
		case 's':
			for (s = va_arg(ap, const char *); *s && max; s++, max--)
				log_char(*s);
			break;
		case 'd':
			val = is_long ? va_arg(ap, long) : va_arg(ap, int);
			put_number(val < 0 ? -val : val, 10, width, pad,
				   val < 0);
			break;
		case 'u':
		case 'x':
			put_number(is_long ? va_arg(ap, unsigned long) :
					     va_arg(ap, unsigned int),
				   *fmt == 'x' ? 16 : 10, width, pad, false);
			break;
		default:
			log_char(*fmt);
		}
	}
}

void log_printf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vprintf(fmt, ap);
	va_end(ap);
}

void machine_end(enum end end)
{
	const char *bochs;

	if (guest_count)
		stats_print();
	outb(EXIT_PORT, end);
	/* Not under vmi-run: Bochs has another way, a real machine none. */
	for (bochs = "Shutdown"; *bochs; bochs++)
		outb(BOCHS_PORT, *bochs);
	log_printf("end: the machine can be switched off\n");
	for (;;)
		asm volatile("cli; hlt");
}

void panic_at(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	log_printf("panic at %s:%d: ", file, line);
	va_start(ap, fmt);
	log_vprintf(fmt, ap);
	va_end(ap);
	log_char('\n');
	machine_end(END_PANIC);
}

void bad_input(const char *fmt, ...)
{
	va_list ap;

	log_printf("error: ");
	va_start(ap, fmt);
	log_vprintf(fmt, ap);
	va_end(ap);
	log_char('\n');
	machine_end(END_BAD_INPUT);
}

/* ---- the guest's end ---------------------------------------------------- */

static void dump_memory(struct vcpu *v, const char *what, gva_t va,
			unsigned int words)
{
	uint32_t i, word;

	log_printf("%s", what);
	for (i = 0; i < words; i++) {
		if (!guest_read(v, &word, va + i * 4, 4)) {
			log_printf(" (not mapped)");
			break;
		}
		log_printf(i && i % 8 == 0 ? "\n\t%08x" : " %08x", word);
	}
	log_char('\n');
}

static void dump_code(struct vcpu *v, gva_t eip)
{
	uint8_t byte;
	int i;

	log_printf("code:");
	for (i = 0; i < 16; i++) {
		if (!guest_read(v, &byte, eip + i, 1)) {
			log_printf(" (not mapped)");
			break;
		}
		log_printf(" %02x", byte);
	}
	log_char('\n');
}

static void dump_trace(struct vcpu *v)
{
	uint32_t n = v->traced < TRACE_LEN ? v->traced : TRACE_LEN, i;

	log_printf("last VMI calls that exited, newest first:\n");
	while (n--) {
		i = --v->traced % TRACE_LEN;
		log_printf("\t%s edx %08x ecx %08x, ROM at %08x\n",
			   v->trace[i].nr < STUB_HC_COUNT ?
			   hcall_name[v->trace[i].nr] : "(unknown)",
			   v->trace[i].a, v->trace[i].b, v->trace[i].eip);
	}
}

void guest_kill(struct vcpu *v, const char *fmt, ...)
{
	struct regs *r = v->regs;
	va_list ap;

	/* What the report reads may be what is wrong. */
	if (v->dying)
		guest_end(v, END_GUEST_DIED);
	v->dying = true;
	log_printf("%s died: ", v->g->name);
	va_start(ap, fmt);
	log_vprintf(fmt, ap);
	va_end(ap);
	log_printf("\nlast exit: vector %u, error code %x, %s mode\n",
		   (uint32_t)r->vector, (uint32_t)r->error,
		   v->hole ? "VMI" : "native");
	log_printf("eip %08x cs %04x eflags %08x esp %08x ss %04x, virtual IF %u\n",
		   (uint32_t)r->eip, (uint32_t)r->cs, (uint32_t)r->eflags,
		   (uint32_t)r->esp, (uint32_t)r->ss,
		   !!(v->sh->flags & STUB_IF));
	log_printf("eax %08x ebx %08x ecx %08x edx %08x\n", r->gpr[EAX],
		   r->gpr[EBX], r->gpr[ECX], r->gpr[EDX]);
	log_printf("esi %08x edi %08x ebp %08x\n", r->gpr[ESI], r->gpr[EDI],
		   r->gpr[EBP]);
	log_printf("cr0 %08x cr2 %08x cr3 %08x cr4 %08x\n", v->cr0,
		   v->sh->cr2, v->cr3, v->cr4);
	dump_code(v, r->eip);
	dump_memory(v, "stack:", r->esp, 32);
	dump_trace(v);
	guest_end(v, END_GUEST_DIED);
}
