/*
 * The code generator: a process of its own that turns modules into object files, so that whatever LLVM does to it
 * (report_fatal_error, an assertion, a crash on damaged bitcode) ends this process and one compilation, not the
 * compiler and its sessions.
 *
 * It reads requests from standard input and answers on standard output, one after the other. Its parent is trusted, as
 * it decides what is compiled; bitcode is not. Before the first request it gives up all else (../confine).
 */
#ifndef FARJIT_CODEGEN_H
#define FARJIT_CODEGEN_H

#include "llvm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FARJIT_CODEGEN_VERSION "0.1.0"

/* Private memory that LLVM may use: hundreds of times what the largest function takes. */
#define FARJIT_MAX_MEMORY_BYTES (4ull << 30)
/* Memory that is written and then made read-only is no data any more, and here all the same; libLLVM has room, too. */
#define FARJIT_MAX_ADDRESS_SPACE_BYTES (6ull << 30)

enum {
	/* Exit status after a fatal error of LLVM's that has been answered (EX_SOFTWARE of sysexits.h). */
	FARJIT_EXIT_FATAL = 70,
	FARJIT_EXIT_USAGE = 64,
	/* Longest request; larger than any module whose object fits on the wire to an executor. */
	FARJIT_MAX_REQUEST_BYTES = 256 * 1024 * 1024,
	FARJIT_MAX_MESSAGE_BYTES = 16 * 1024,
};

enum farjit_product {
	FARJIT_PRODUCT_OBJECT = 0,   /* an ELF relocatable object */
	FARJIT_PRODUCT_ASSEMBLY = 1, /* the target's assembly, text */
	FARJIT_PRODUCT_IR = 2,	     /* LLVM assembly after the passes, text */
	FARJIT_PRODUCT_INTERFACE = 3, /* what the module defines for others; passes are not looked at, and an empty triple is no target.
					 Asked for with a piece: bodies, which pieces are verified with, are not read where pieces are possible */
	FARJIT_PRODUCT_BITCODE = 4, /* bitcode after the passes, of a module that is to be compiled later */
	FARJIT_PRODUCT_COUNT,
};

/* How a module comes. */
enum farjit_form {
	FARJIT_FORM_BITCODE = 0,
	FARJIT_FORM_RECORDING = 1, /* the calls of an IR builder that make it: enum farjit_ir */
	FARJIT_FORM_ASSEMBLY = 2,  /* LLVM assembly, text */
	FARJIT_FORM_COUNT,
};

/*
 * The calls of a recording: a u8 of these and its operands, little-endian. A type, a value or a block is the u32 number
 * of the call that made it, among those that make one: what makes a type, a value, a block says so. A text is a u32
 * length and the bytes with a NUL that is not counted.
 */
enum farjit_ir {
	FARJIT_IR_SCALAR_TYPE = 1,    /* type: u8 enum farjit_scalar, but PTR */
	FARJIT_IR_POINTER_TYPE = 2,   /* type: type it points to */
	FARJIT_IR_FUNCTION_TYPE = 3,  /* type: u32 count, type of the result, count types of parameters */
	FARJIT_IR_FUNCTION = 4,	      /* value: type, u8 LLVMLinkage, text */
	FARJIT_IR_ARGUMENT = 5,	      /* value: function, u32 index */
	FARJIT_IR_NAME = 6,	      /* value, text */
	FARJIT_IR_BLOCK = 7,	      /* block: function, text; the first one of a function is its entry */
	FARJIT_IR_AT_END = 8,	      /* block: what follows is put at its end */
	FARJIT_IR_AT_START = 9,	      /* block: what follows is put in front of its first instruction that is no phi */
	FARJIT_IR_DOUBLE = 10,	      /* value: f64 */
	FARJIT_IR_INT64 = 11,	      /* value: u64 */
	FARJIT_IR_NULL = 12,	      /* value: type */
	FARJIT_IR_RET = 13,	      /* value: value */
	FARJIT_IR_RET_VOID = 14,      /* value */
	FARJIT_IR_BR = 15,	      /* value: block */
	FARJIT_IR_COND_BR = 16,	      /* value: value, block, block */
	FARJIT_IR_BINARY = 17,	      /* value: u8 LLVMOpcode, value, value, text */
	FARJIT_IR_ICMP = 18,	      /* value: u8 LLVMIntPredicate, value, value, text */
	FARJIT_IR_FCMP = 19,	      /* value: u8 LLVMRealPredicate, value, value, text */
	FARJIT_IR_CAST = 20,	      /* value: u8 LLVMOpcode, value, type, text */
	FARJIT_IR_ALLOCA = 21,	      /* value: type, text */
	FARJIT_IR_LOAD = 22,	      /* value: type, pointer, text */
	FARJIT_IR_STORE = 23,	      /* value: value, pointer */
	FARJIT_IR_GEP = 24,	      /* value: type, pointer, index, text */
	FARJIT_IR_PHI = 25,	      /* value: type, text */
	FARJIT_IR_ADD_INCOMING = 26,  /* phi, value, block */
	FARJIT_IR_CALL = 27,	      /* value: type, callee, u32 count, count values, text */
	FARJIT_IR_STRUCT_TYPE = 28,   /* type: u32 count, count types of fields */
};

/* Kinds of values that a call block holds. */
enum farjit_scalar {
	FARJIT_SCALAR_VOID = 0,
	FARJIT_SCALAR_DOUBLE = 1,
	FARJIT_SCALAR_FLOAT = 2,
	FARJIT_SCALAR_I1 = 3,
	FARJIT_SCALAR_I8 = 4,
	FARJIT_SCALAR_I16 = 5,
	FARJIT_SCALAR_I32 = 6,
	FARJIT_SCALAR_I64 = 7,
	FARJIT_SCALAR_PTR = 8,
	FARJIT_SCALAR_NONE = 255, /* never sent */
};

/*
 * An interface is one definition after the other, little-endian: u8 kind; u8 enum farjit_symbol_flags; u32 length and
 * bytes of the name; with FARJIT_SYMBOL_COMMON u64 bytes that it takes; and for FARJIT_DEFINITION_CALLABLE u32 count of
 * parameters, u8 scalar of the result, u8 scalar of each parameter; for FARJIT_DEFINITION_PASSING the parts of the
 * result, then those of the parameters: u32 count, and of each u8 enum farjit_place and u64 bytes.
 */
enum farjit_definition {
	FARJIT_DEFINITION_DATA = 0,
	FARJIT_DEFINITION_FUNCTION = 1, /* of a signature that a call block does not hold */
	FARJIT_DEFINITION_CALLABLE = 2,
	FARJIT_DEFINITION_ELSEWHERE = 3, /* what the module declares, and another defines */
	FARJIT_DEFINITION_ASSEMBLY = 4, /* no name: the module's own assembly, which may define more */
	FARJIT_DEFINITION_THREAD_LOCAL = 5, /* a thread-local variable that is another's, or the module's alone */
	FARJIT_DEFINITION_RUN = 6,	 /* none: it lists functions to run at the start or the end, the name says where */
	FARJIT_DEFINITION_SECTION = 7,	 /* none: a variable is in a section, and the name is that one's */
	FARJIT_DEFINITION_OWN_LIBRARY = 8, /* none: a function of the module has this name of one that LLVM knows by heart */
	FARJIT_DEFINITION_PASSING = 9,	   /* none: the function of this name, which was before, is passed what follows */
	FARJIT_DEFINITION_WHOLE = 11, /* none: the module cannot be compiled in pieces, and the name says why */
	FARJIT_DEFINITION_IN_PIECES = 12, /* none: pieces of the module may have the function of this name, FARJIT_SYMBOL_HIDDEN if only the module
					     can name it; in the module's order. One that is compiled as a whole has none */
	FARJIT_DEFINITION_ALIAS = 10, /* none: the function of this name, which was before, is that of the name that follows */
};

/* Where a function that is no CALLABLE has a part of a value. */
enum farjit_place {
	FARJIT_PLACE_INTEGER = 0,
	FARJIT_PLACE_SSE = 1,
	FARJIT_PLACE_MEMORY = 2, /* the stack */
	FARJIT_PLACE_RESULT = 3, /* memory of the caller's for the result: an integer register has its address */
};

#define FARJIT_MAX_PARTS 64

/* In the order of the parameters; sizes in bytes. */
struct farjit_parts {
	unsigned count;
	struct {
		uint8_t place;
		uint64_t size;
	} at[FARJIT_MAX_PARTS];
};

/* How a definition competes with others of its name, and who finds it. */
enum farjit_symbol_flags {
	FARJIT_SYMBOL_WEAK = 1,	  /* any other will do as well; each of a COMDAT group is so */
	FARJIT_SYMBOL_COMMON = 2, /* tentative: the largest is taken */
	FARJIT_SYMBOL_HIDDEN = 4, /* for those alone that are linked with it */
	FARJIT_SYMBOL_LIBRARY = 8, /* elsewhere, and LLVM knows by heart what the C library's function of that name does */
	FARJIT_SYMBOL_THREAD_LOCAL = 16,
	FARJIT_SYMBOL_VAGUE = 32, /* weak, and all definitions are the same: C++'s rule of one definition */
};

enum farjit_status {
	FARJIT_STATUS_DONE = 0,
	FARJIT_STATUS_BITCODE = 1, /* bytes that are no module; the answer is a message */
	FARJIT_STATUS_COMPILE = 2, /* LLVM refuses module, target or passes; a message */
	FARJIT_STATUS_FATAL = 3,   /* LLVM gave up; a message, and the process ends after it */
	FARJIT_STATUS_LIBRARY = 4, /* libLLVM cannot be loaded; a message, instead of the greeting */
	FARJIT_STATUS_UNCONFINED = 5, /* the process cannot be confined; a message, instead of the greeting */
	FARJIT_STATUS_OLD_BITCODE = 6, /* this libLLVM reads a module otherwise than the clang that made it means it; a message */
	FARJIT_STATUS_UNKNOWN = 7, /* no module is kept under the request's key: it is to be sent; nothing */
};

struct farjit_bytes {
	const char *start;
	size_t length;
};

/* What of a module is compiled. */
enum farjit_piece {
	FARJIT_PIECE_WHOLE = 0,
	FARJIT_PIECE_FUNCTIONS = 1, /* those asked for, and some that they call */
	FARJIT_PIECE_DATA = 2,	    /* no function, and all else */
	FARJIT_PIECE_REST = 3,	    /* all functions that have not been compiled */
	FARJIT_PIECE_COUNT,
};

/*
 * Behind the name of what only its module can name, in the objects of pieces: this and a letter for what it is. A module that
 * has it in a name is compiled as a whole.
 */
#define FARJIT_LOCAL_MARK '\x02'
#define FARJIT_LOCAL_FUNCTION 'f'
#define FARJIT_LOCAL_DATA 'd'

/*
 * A request, little-endian: u32 length of what follows; u32 id; u8 product; u8 LLVMCodeGenOptLevel; u16 form; u16
 * count of program-defined names; u16 enum farjit_piece; u32 functions that a piece may have; u32 key; then byte strings, each
 * a u32 length and the bytes with a NUL that is not counted: name, triple, CPU, features, passes, the names, the functions
 * asked for and those compiled before, each with a NUL behind it, and the module. A module of pieces has a key, under which it is
 * kept: it is empty where it has been sent before.
 */
struct farjit_request {
	uint32_t id;
	uint8_t product;
	uint8_t opt_level;
	uint16_t form;
	uint16_t program_defined_count;
	uint16_t piece;
	uint32_t most_functions;
	/* 0: it is not kept. */
	uint32_t module_key;
	struct farjit_bytes name, triple, cpu, features, passes;
	/* Where the names begin; read with farjit_next_bytes. */
	const char *program_defined;
	struct farjit_bytes asked, compiled;
	struct farjit_bytes module;
	/* Everything above points into it, or into what is kept; from calloc. */
	char *storage;
};

/* Milliseconds of each stage. */
struct farjit_timings {
	double parse_ms, passes_ms, emit_ms;
};

/* wire.c */
/* Waits for a request. False: the parent has closed its end, or breaks the contract. The caller frees `storage`. */
bool farjit_read_request(struct farjit_request *request);
/* The byte string at *at, which moves on to what follows it. The strings were checked when the request was read. */
struct farjit_bytes farjit_next_bytes(const char **at);
/*
 * An answer, little-endian: u32 length of what follows; u32 id; u32 status; f64 milliseconds of parsing, passes,
 * emission; then the product or a message. Ends the process when the parent is gone.
 */
void farjit_answer(uint32_t id, enum farjit_status status, const struct farjit_timings *timings, const char *content,
		   size_t content_bytes);

/* prepare.c */
/*
 * Makes a module fit for the executor: target triple and data layout of `machine`; nothing built in about the
 * program-defined functions; and, unless the product is bitcode, which is prepared when it comes back, for every function that it defines a
 * section of its own, by which the linker splits the object, a frame pointer and unwind tables, by which traps are
 * reported and threads unwound. A section that a function has already is left alone, and so are `target-cpu` and
 * `target-features`: a function without them gets the machine's.
 */
void farjit_prepare_module(LLVMContextRef context, LLVMModuleRef module, LLVMTargetMachineRef machine,
			   const struct farjit_request *request);

/* Before a module is cut, of which farjit_prepare_module does the rest. */
void farjit_prepare_whole(LLVMContextRef context, LLVMModuleRef module, LLVMTargetMachineRef machine,
			  const struct farjit_request *request);
void farjit_prepare_piece(LLVMContextRef context, LLVMModuleRef module, const struct farjit_request *request);
/* NULL: there is none. A name's leading \1 tells LLVM not to mangle it and is not part of the symbol. */
LLVMValueRef farjit_find_function(LLVMModuleRef module, const struct farjit_bytes *symbol);

/* whole.c */
/*
 * Why a module cannot be compiled in pieces; NULL when it can. Of one that was opened lazily it is not known whether a function has
 * the address of a place inside another: `farjit_extract` refuses that.
 */
const char *farjit_why_whole(LLVMModuleRef module);

/* extract.c */
/* Opens bitcode without reading bodies. NULL: it is none. */
LLVMModuleRef farjit_open_lazily(LLVMContextRef context, const struct farjit_request *request);
/*
 * Makes a piece of a module that was opened lazily: bodies are read of its functions, all else that it defines is declared.
 * What only the module could name gets a marked name for all pieces. False: a function that was asked for is not there, or
 * the piece cannot be apart from another, in words.
 */
bool farjit_extract(LLVMModuleRef module, LLVMTargetMachineRef machine, const struct farjit_request *request,
		    char *words, size_t size);

/* Whether a function says that it has to be inlined: pieces have it where it is called. */
bool farjit_is_always_inlined(LLVMValueRef function);

/* Whether the bodies in a piece are sound; all else was verified with the whole module. */
bool farjit_is_piece_sound(LLVMModuleRef module);

/* replay.c */
/* Makes the calls of a recording. NULL: it is none. */
LLVMModuleRef farjit_replay(LLVMContextRef context, const struct farjit_bytes *name,
			    const struct farjit_bytes *recording);

/* foreign.c */
/* Whether a module was made for another target than `machine`'s, and what differs, in words. */
bool farjit_refuse_foreign(LLVMModuleRef module, LLVMTargetMachineRef machine, const char *triple, char *words,
			   size_t size);

/* prefix_data.c */
/* Whether a function of a module has data in front of its code, and which one, in words. */
bool farjit_refuse_prefix_data(LLVMModuleRef module, char *words, size_t size);

/* old_bitcode.c */
/* The version of the clang that has made a module, or of the oldest one; 0 for another producer. */
unsigned farjit_clang_version(LLVMModuleRef module);
/* Whether a module, which need not be verified, has coroutines that this libLLVM reads otherwise than the clang that made it, in
   words. */
bool farjit_refuse_coroutines(LLVMModuleRef module, char *words, size_t size);

/* type_layout.c */
/* Whether the next one has to look at the bodies of functions. */
bool farjit_may_differ_in_layout(LLVMModuleRef module);
/* Whether a type of a module has another layout than the clang that made the module has given it, and whose, in words. */
bool farjit_refuse_type_layout(LLVMModuleRef module, LLVMTargetMachineRef machine, char *words, size_t size);

/* passing.c */
/* Whether C's caller calls it: others pass arguments elsewhere. */
bool farjit_has_c_convention(LLVMValueRef function);
/* Whether a pointer among a function's parameters is none that C's caller gives: it stands for a struct, for instance. */
bool farjit_has_hidden_pointers(LLVMValueRef function);
/* Where a function has what it is passed, and its result. False: that is not known. */
bool farjit_find_passing(LLVMValueRef function, struct farjit_parts *result, struct farjit_parts *parameters);

/* interface.c */
/* A verified module's interface; from malloc. */
char *farjit_describe_module(LLVMModuleRef module, size_t *length);

/* ahead.c */
/* A module that was opened lazily, and its context; NULL: none. */
struct farjit_opened {
	LLVMContextRef context;
	LLVMModuleRef module;
};

/* Keeps a request's module, with its storage, or gives it the one that is kept. False: there is none of its key. */
bool farjit_find_kept(struct farjit_request *request);
/* A kept module, if it was opened ahead; the caller disposes of it. */
struct farjit_opened farjit_take_opened(const struct farjit_request *request);
/* Opens a kept module for the next request. */
void farjit_open_ahead(const struct farjit_request *request, LLVMDiagnosticHandler handler, void *told);

/* compile.c */
/* Makes the product and answers; may take the request's storage. */
void farjit_compile(struct farjit_request *request);
/* LLVM's fatal errors become the answer to the request under way; then the process ends. */
void farjit_install_fatal_error_handler(void);

#endif
