/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The introspection protocol on the wire (spec/introspection.md, INTRO-2 to INTRO-5):
 * little-endian, naturally aligned. All that comes is hostile.
 */
#ifndef KVMI_WIRE_H
#define KVMI_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define KVMI_VERSION		1
#define KVMI_BODY_MAX		8184u

#define KVMI_ENOSYS		1000
#define KVMI_EPERM		1
#define KVMI_ENOENT		2
#define KVMI_EAGAIN		11
#define KVMI_ENOMEM		12
#define KVMI_EBUSY		16
#define KVMI_EINVAL		22
#define KVMI_EOPNOTSUPP		95

#define WIRE_SIZE(type, bytes) \
	_Static_assert(sizeof(struct type) == (bytes), #type)
#define WIRE_AT(type, field, at) \
	_Static_assert(offsetof(struct type, field) == (at), #type "." #field)

/* ---- the beginning ------------------------------------------------------ */

struct kvmi_hello {
	uint32_t	size;
	uint8_t		uuid[16];
	uint32_t	pad;
	int64_t		start_time;	/* seconds since 1970 */
	char		name[64];
};
WIRE_SIZE(kvmi_hello, 96);
WIRE_AT(kvmi_hello, start_time, 24);

/* The tool's answer: its size, and what is not looked at. */
#define KVMI_ANSWER_MIN		24u
#define KVMI_ANSWER_MAX		65536u

/* ---- messages ------------------------------------------------------------ */

struct kvmi_header {
	uint16_t	id, size;	/* of the body */
	uint32_t	seq;
};
WIRE_SIZE(kvmi_header, 8);

struct kvmi_error {
	int32_t		err;
	uint32_t	pad;
};
WIRE_SIZE(kvmi_error, 8);

struct kvmi_vcpu_header {
	uint16_t	vcpu, pad1;
	uint32_t	pad2;
};
WIRE_SIZE(kvmi_vcpu_header, 8);

enum kvmi_id {
	KVMI_EVENT_REPLY	= 0,
	KVMI_EVENT		= 1,
	KVMI_GET_VERSION	= 2,
	KVMI_CHECK_COMMAND	= 3,
	KVMI_CHECK_EVENT	= 4,
	KVMI_GET_GUEST_INFO	= 5,
	KVMI_GET_VCPU_INFO	= 6,
	KVMI_PAUSE_VCPU		= 7,
	KVMI_CONTROL_VM_EVENTS	= 8,
	KVMI_CONTROL_EVENTS	= 9,
	KVMI_CONTROL_CR		= 10,
	KVMI_CONTROL_MSR	= 11,
	KVMI_GET_REGISTERS	= 13,
	KVMI_SET_REGISTERS	= 14,
	KVMI_GET_CPUID		= 15,
	KVMI_GET_XSAVE		= 16,
	KVMI_READ_PHYSICAL	= 17,
	KVMI_WRITE_PHYSICAL	= 18,
	KVMI_INJECT_EXCEPTION	= 19,
	KVMI_SET_PAGE_ACCESS	= 21,
	KVMI_GET_MAP_TOKEN	= 22,
	KVMI_GET_MTRR_TYPE	= 23,
	KVMI_CONTROL_SPP	= 24,
	KVMI_SET_WRITE_BITMAP	= 26,
	KVMI_CONTROL_RESPONSE	= 27,
	KVMI_SET_VE_INFO_PAGE	= 28,
	KVMI_GET_MAX_GFN	= 29,
	KVMI_SET_EPT_VIEW	= 32,
	KVMI_DISABLE_VE		= 33,
	KVMI_GET_EPT_VIEW	= 34,
	KVMI_TRANSLATE_GVA	= 35,
	KVMI_CONTROL_EPT_VIEW	= 36,
	KVMI_GET_XCR		= 37,
	KVMI_SET_XSAVE		= 38,
	KVMI_QUERY_PHYSICAL	= 39,
	KVMI_CHANGE_GFN		= 60,
	KVMI_SINGLESTEP		= 63,
	KVMI_IDS		= 64
};

/* ---- registers ------------------------------------------------------------ */

struct kvmi_regs {
	uint64_t	rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp;
	uint64_t	r8_15[8];
	uint64_t	rip, rflags;
};
WIRE_SIZE(kvmi_regs, 144);
WIRE_AT(kvmi_regs, rip, 128);

struct kvmi_segment {
	uint64_t	base;
	uint32_t	limit;
	uint16_t	selector;
	uint8_t		type, present, dpl, db, s, l, g, avl, unusable, pad;
};
WIRE_SIZE(kvmi_segment, 24);

struct kvmi_table {
	uint64_t	base;
	uint16_t	limit, pad[3];
};

struct kvmi_sregs {
	struct kvmi_segment cs, ds, es, fs, gs, ss, tr, ldt;
	struct kvmi_table gdt, idt;
	uint64_t	cr0, cr2, cr3, cr4, cr8, efer, apic_base;
	uint64_t	interrupts[4];
};
WIRE_SIZE(kvmi_sregs, 312);
WIRE_AT(kvmi_sregs, gdt, 192);
WIRE_AT(kvmi_sregs, cr0, 224);
WIRE_AT(kvmi_sregs, efer, 264);

/* The answer to GET_REGISTERS, before its MSRs. */
struct kvmi_all_regs {
	uint32_t	mode, pad;
	struct kvmi_regs regs;
	struct kvmi_sregs sregs;
	uint32_t	nmsrs, pad2;
};
WIRE_SIZE(kvmi_all_regs, 472);

struct kvmi_msr {
	uint32_t	index, pad;
	uint64_t	data;
};
WIRE_SIZE(kvmi_msr, 16);

/* ---- events --------------------------------------------------------------- */

enum kvmi_event_id {
	KVMI_EV_UNHOOK,
	KVMI_EV_CR,
	KVMI_EV_MSR,
	KVMI_EV_XSETBV,
	KVMI_EV_BREAKPOINT,
	KVMI_EV_HYPERCALL,
	KVMI_EV_PF,
	KVMI_EV_TRAP,
	KVMI_EV_DESCRIPTOR,
	KVMI_EV_CREATE_VCPU,
	KVMI_EV_PAUSE,
	KVMI_EV_SINGLESTEP,
	KVMI_EV_CMD_ERROR,
	KVMI_EV_CPUID,
	KVMI_EVENTS
};

struct kvmi_event {
	uint16_t	size, vcpu;
	uint8_t		event, pad1[3];
	uint8_t		mode, pad2;
	uint16_t	view;
	uint32_t	pad3;
	struct kvmi_regs regs;
	struct kvmi_sregs sregs;
	uint64_t	sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t	efer, star, lstar, cstar, pat, shadow_gs;
};
WIRE_SIZE(kvmi_event, 544);
WIRE_AT(kvmi_event, regs, 16);
WIRE_AT(kvmi_event, sysenter_cs, 472);

/* Behind that, by event; none is longer. */
union kvmi_event_data {
	struct {
		uint32_t nr, pad;	/* of CR: 16 bits are all that is set */
		uint64_t old, value;
	} reg;				/* CR, MSR */
	struct {
		uint64_t gpa;
		uint8_t length, pad[7];
	} breakpoint;
	struct {
		uint64_t gva, gpa;
		uint8_t access, pad;
		uint16_t view;
		uint32_t pad2;
	} pf;
	struct {
		uint8_t vector, pad[3];
		uint32_t error;
		uint64_t cr2;
	} trap;
	struct {
		uint8_t which, write, pad[6];
	} descriptor;
	struct {
		uint8_t failed, pad[7];
	} step;
	struct {
		uint32_t function, index;
		uint8_t length, pad[7];
	} cpuid;
};
_Static_assert(sizeof(union kvmi_event_data) == 24, "the longest");

enum { KVMI_IDTR = 1, KVMI_GDTR, KVMI_LDTR, KVMI_TR };

enum { KVMI_CONTINUE, KVMI_RETRY, KVMI_CRASH };

struct kvmi_reply {
	struct kvmi_vcpu_header vcpu;
	uint8_t		action, event;
	uint16_t	pad1;
	uint32_t	pad2;
};
WIRE_SIZE(kvmi_reply, 16);

#define KVMI_CONTEXT_MAX	256u
struct kvmi_pf_reply {
	uint64_t	at;
	uint32_t	size;
	uint8_t		singlestep, rep_complete;
	uint16_t	pad;
	uint8_t		data[KVMI_CONTEXT_MAX];
};
WIRE_SIZE(kvmi_pf_reply, 272);

#define KVMI_R	1u
#define KVMI_W	2u
#define KVMI_X	4u

#endif
