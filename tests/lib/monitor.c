// SPDX-License-Identifier: GPL-2.0-only
#include "monitor.h"

#define CODE_AT		0x200000u
#define EM_386		3u
#define EM_X86_64	62u

/* The same text for both; each is assembled on its own. */
#define MONITOR(bits, di)						\
	__asm__(".pushsection .rodata\n.code" #bits "\n"		\
		"monitor_" #bits ":\n\tcld\n"				\
		"1:\tcall 4f\n\tmovzbl %al, %ecx\n"			\
		"\tmov $0x210000, %" #di "\n"				\
		"2:\tcall 4f\n\tstosb\n\tdecl %ecx\n\tjnz 2b\n"		\
		"\tmov $0x210000, %" #di "\n\tcall *%" #di "\n"		\
		"\tmovl $4, %ecx\n\tmov $0x3f8, %dx\n"			\
		"3:\toutb %al, %dx\n\tshrl $8, %eax\n\tdecl %ecx\n"	\
		"\tjnz 3b\n\tjmp 1b\n"					\
		"4:\tmov $0x3fd, %dx\n\tinb %dx, %al\n\ttestb $1, %al\n"	\
		"\tjz 4b\n\tmov $0x3f8, %dx\n\tinb %dx, %al\n\tret\n"	\
		"monitor_" #bits "_end:\n.popsection\n")
MONITOR(32, edi);
MONITOR(64, rdi);
#ifdef __x86_64__
__asm__(".code64\n");
#else
__asm__(".code32\n");
#endif
extern const uint8_t monitor_32[], monitor_32_end[];
extern const uint8_t monitor_64[], monitor_64_end[];

static void put(uint8_t *to, uint32_t bytes, uint64_t value)
{
	for (; bytes; bytes--, value >>= 8)
		*to++ = (uint8_t)value;
}

void monitor_image(uint8_t to[MONITOR_IMAGE], bool wide)
{
	const uint8_t *code = wide ? monitor_64 : monitor_32;
	const uint32_t bytes = (uint32_t)((wide ? monitor_64_end :
					   monitor_32_end) - code);
	const uint32_t word = wide ? 8 : 4, header = wide ? 64 : 52;
	const uint32_t segment = wide ? 56 : 32, offset = header + segment;
	uint8_t *p = to + header;

	__builtin_memset(to, 0, MONITOR_IMAGE);
	put(to, 7, 0x010100464c457full | (wide ? 2ull : 1ull) << 32);
	put(to + 16, 2, 2);
	put(to + 18, 2, wide ? EM_X86_64 : EM_386);
	put(to + 20, 4, 1);
	put(to + 24, word, CODE_AT);
	put(to + 24 + word, word, header);
	put(to + header - 12, 2, header);
	put(to + header - 10, 2, segment);
	put(to + header - 8, 2, 1);
	put(p, 4, 1);			/* to be loaded: */
	p += wide ? 8 : 4;
	put(p, word, offset);
	put(p + 2 * word, word, CODE_AT);
	put(p + 3 * word, word, bytes);
	put(p + 4 * word, word, bytes);
	for (uint32_t i = 0; i < bytes; i++)
		to[offset + i] = code[i];
}
