/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of QEMU's TCG plugin interface that profile.c uses, as QEMU 7.2
 * has it (interface version 1). Debian packages no header.
 */
#ifndef QEMU_PLUGIN_H
#define QEMU_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#define PLUGIN_VERSION		1
#define PLUGIN_EXPORT		__attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct plugin_info;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

/* What a callback does to registers, and what an inline operation does. */
enum plugin_regs { PLUGIN_NO_REGS = 0 };
enum plugin_op { PLUGIN_ADD_U64 = 0 };

typedef void (*plugin_executed)(unsigned int cpu, void *arg);

/* Of a block, when it is translated. */
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
	void (*translated)(plugin_id id, struct qemu_plugin_tb *tb));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);

const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

/* From then on, whenever the block or the instruction begins. */
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
	plugin_executed executed, enum plugin_regs regs, void *arg);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
	plugin_executed executed, enum plugin_regs regs, void *arg);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn,
	enum plugin_op op, void *counter, uint64_t value);

void qemu_plugin_register_atexit_cb(plugin_id id,
	void (*at_exit)(plugin_id id, void *arg), void *arg);

/* What a plugin exports. */
PLUGIN_EXPORT extern int qemu_plugin_version;
PLUGIN_EXPORT int qemu_plugin_install(plugin_id id,
	const struct plugin_info *info, int argc, char **argv);

#endif
