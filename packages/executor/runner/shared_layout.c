/*
 * The layout that the host counts on, held against the compiler's.
 *
 * Written by scripts/shared-layout.mjs from packages/executor/shared-layout.mjs: change that, and run it.
 */
#include "shared_layout.h"

#include <stddef.h>

#define AT(type, field, offset)                                                                                        \
	_Static_assert(offsetof(struct type, field) == (offset), #type "." #field " is not where the host has it")
#define SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type " is not as long as the host has it")

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the host writes little-endian numbers");

AT(farjit_bell, kind, 0);
AT(farjit_bell, slot, 2);
AT(farjit_bell, value, 4);
SIZE(farjit_bell, 8);

AT(farjit_confine, sandbox, 0);
AT(farjit_confine, user_id, 4);
AT(farjit_confine, address_space_bytes, 8);
AT(farjit_confine, data_bytes, 16);
AT(farjit_confine, cpu_seconds, 24);
AT(farjit_confine, threads, 32);
AT(farjit_confine, descriptors, 36);
AT(farjit_confine, file_size_bytes, 40);
AT(farjit_confine, file_space_bytes, 48);
AT(farjit_confine, file_count, 56);
AT(farjit_confine, landlock_abi, 60);
AT(farjit_confine, missing, 64);
SIZE(farjit_confine, 576);

AT(farjit_file, kind, 0);
AT(farjit_file, mode, 4);
AT(farjit_file, path_bytes, 8);
AT(farjit_file, size_bytes, 16);
SIZE(farjit_file, 24);

AT(farjit_frame_record, start, 0);
AT(farjit_frame_record, end, 4);
AT(farjit_frame_record, fde, 8);
AT(farjit_frame_record, cell, 12);
SIZE(farjit_frame_record, 16);

AT(farjit_frame_node, record, 0);
AT(farjit_frame_node, next, 16);
AT(farjit_frame_node, previous, 24);
AT(farjit_frame_node, sibling, 32);
SIZE(farjit_frame_node, 40);

AT(farjit_frame_index, removals, 0);
AT(farjit_frame_index, heads, 8);
SIZE(farjit_frame_index, 8);

AT(farjit_reentry_slot, state, 0);
AT(farjit_reentry_slot, kind, 4);
AT(farjit_reentry_slot, return_address, 8);
AT(farjit_reentry_slot, landing, 16);
AT(farjit_reentry_slot, thread_id, 24);
AT(farjit_reentry_slot, token, 28);
AT(farjit_reentry_slot, posted_ns, 32);
AT(farjit_reentry_slot, landed_ns, 40);
SIZE(farjit_reentry_slot, 48);

AT(farjit_host_call_slot, state, 0);
AT(farjit_host_call_slot, thread_id, 4);
AT(farjit_host_call_slot, token, 8);
AT(farjit_host_call_slot, argument_count, 12);
AT(farjit_host_call_slot, function, 16);
AT(farjit_host_call_slot, entry, 24);
AT(farjit_host_call_slot, argument, 32);
AT(farjit_host_call_slot, words, 40);
SIZE(farjit_host_call_slot, 296);

AT(farjit_call_slot, state, 0);
AT(farjit_call_slot, thread_id, 4);
AT(farjit_call_slot, entry, 8);
AT(farjit_call_slot, token, 16);
AT(farjit_call_slot, block, 64);
SIZE(farjit_call_slot, 49216);

AT(farjit_program, main, 0);
AT(farjit_program, argument_count, 8);
AT(farjit_program, arguments, 16);
AT(farjit_program, environment, 24);
AT(farjit_program, has_input, 32);
AT(farjit_program, line_buffered, 40);
SIZE(farjit_program, 48);

AT(farjit_end, kind, 0);
AT(farjit_end, signal, 4);
AT(farjit_end, signal_code, 8);
AT(farjit_end, thread_id, 12);
AT(farjit_end, stack_overflow, 16);
AT(farjit_end, frame_count, 20);
AT(farjit_end, fault_address, 24);
AT(farjit_end, program_counter, 32);
AT(farjit_end, registers, 40);
AT(farjit_end, frames, 312);
AT(farjit_end, message, 824);
SIZE(farjit_end, 1464);

AT(farjit_header, magic, 0);
AT(farjit_header, layout_version, 4);
AT(farjit_header, code_bytes, 8);
AT(farjit_header, constant_bytes, 16);
AT(farjit_header, control_bytes, 24);
AT(farjit_header, data_bytes, 32);
AT(farjit_header, thread_stack_bytes, 40);
AT(farjit_header, frame_index_bytes, 48);
AT(farjit_header, stubs_offset, 56);
AT(farjit_header, stub_bytes, 64);
AT(farjit_header, pointers_offset, 72);
AT(farjit_header, pointers_bytes, 80);
SIZE(farjit_header, 88);

AT(farjit_control, header, 0);
AT(farjit_control, base, 88);
AT(farjit_control, resolver, 96);
AT(farjit_control, count_function, 104);
AT(farjit_control, run_program, 112);
AT(farjit_control, call_host, 120);
AT(farjit_control, thread_offset, 128);
AT(farjit_control, process_id, 136);
AT(farjit_control, program_threads, 140);
AT(farjit_control, hot_pending, 144);
AT(farjit_control, thread_units, 148);
AT(farjit_control, confine, 280);
AT(farjit_control, end, 856);
AT(farjit_control, addresses, 2320);
AT(farjit_control, names, 35088);
AT(farjit_control, hot_pages, 100624);
AT(farjit_control, reentry, 166208);
AT(farjit_control, host_calls, 178496);
AT(farjit_control, calls, 254272);
SIZE(farjit_control, 3404096);
