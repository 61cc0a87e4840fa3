/*
 * LLVM's C API as far as the code generator uses it, bound at run time: one program works with libLLVM 14 to 22.
 * Types and prototypes are those of llvm-c/{Core,Analysis,BitReader,BitWriter,IRReader,Target,TargetMachine,
 * ErrorHandling,Error,Support}.h and llvm-c/Transforms/PassBuilder.h.
 */
#ifndef FARJIT_CODEGEN_LLVM_H
#define FARJIT_CODEGEN_LLVM_H

#include <stddef.h>
#include <stdint.h>

typedef int LLVMBool;
typedef struct LLVMOpaqueContext *LLVMContextRef;
typedef struct LLVMOpaqueModule *LLVMModuleRef;
typedef struct LLVMOpaqueValue *LLVMValueRef;
typedef struct LLVMOpaqueType *LLVMTypeRef;
typedef struct LLVMOpaqueBasicBlock *LLVMBasicBlockRef;
typedef struct LLVMOpaqueBuilder *LLVMBuilderRef;
typedef struct LLVMOpaqueAttributeRef *LLVMAttributeRef;
typedef struct LLVMOpaqueMemoryBuffer *LLVMMemoryBufferRef;
typedef struct LLVMOpaqueDiagnosticInfo *LLVMDiagnosticInfoRef;
typedef struct LLVMComdat *LLVMComdatRef;
typedef struct LLVMTarget *LLVMTargetRef;
typedef struct LLVMOpaqueTargetMachine *LLVMTargetMachineRef;
typedef struct LLVMOpaqueTargetData *LLVMTargetDataRef;
typedef struct LLVMOpaquePassBuilderOptions *LLVMPassBuilderOptionsRef;
typedef struct LLVMOpaqueError *LLVMErrorRef;
typedef struct LLVMOpaquePassManager *LLVMPassManagerRef;
typedef struct LLVMOpaqueUse *LLVMUseRef;
typedef void (*LLVMDiagnosticHandler)(LLVMDiagnosticInfoRef, void *);
typedef void (*LLVMFatalErrorHandler)(const char *reason);

enum {
	LLVMVoidTypeKind = 0,
	LLVMFloatTypeKind = 2,
	LLVMDoubleTypeKind = 3,
	LLVMIntegerTypeKind = 8,
	LLVMFunctionTypeKind = 9,
	LLVMStructTypeKind = 10,
	LLVMArrayTypeKind = 11,
	LLVMPointerTypeKind = 12,
	LLVMVectorTypeKind = 13,
	LLVMCCallConv = 0,
	LLVMReturnStatusAction = 2,
	LLVMAvailableExternallyLinkage = 1,
	LLVMLinkOnceAnyLinkage = 2,
	LLVMLinkOnceODRLinkage = 3,
	LLVMWeakAnyLinkage = 5,
	LLVMWeakODRLinkage = 6,
	LLVMExternalLinkage = 0,
	LLVMInternalLinkage = 8,
	LLVMPrivateLinkage = 9,
	LLVMHiddenVisibility = 1,
	LLVMNoDeduplicateComdatSelectionKind = 3,
	LLVMDSError = 0,
	LLVMAssemblyFile = 0,
	LLVMObjectFile = 1,
	LLVMRelocPIC = 2,
	LLVMCodeModelSmall = 3,
};
#define LLVMAttributeFunctionIndex (-1)

/* X(result, name, parameters): every function that each supported version has. */
#define FARJIT_LLVM_FUNCTIONS(X)                                                                                       \
	X(void, LLVMDisposeMessage, (char *))                                                                          \
	X(void, LLVMInstallFatalErrorHandler, (LLVMFatalErrorHandler))                                                 \
	X(LLVMContextRef, LLVMContextCreate, (void))                                                                   \
	X(void, LLVMContextDispose, (LLVMContextRef))                                                                  \
	X(void, LLVMContextSetDiagnosticHandler, (LLVMContextRef, LLVMDiagnosticHandler, void *))                      \
	X(char *, LLVMGetDiagInfoDescription, (LLVMDiagnosticInfoRef))                                                 \
	X(int, LLVMGetDiagInfoSeverity, (LLVMDiagnosticInfoRef))                                                       \
	X(LLVMMemoryBufferRef, LLVMCreateMemoryBufferWithMemoryRange, (const char *, size_t, const char *, LLVMBool))  \
	X(const char *, LLVMGetBufferStart, (LLVMMemoryBufferRef))                                                     \
	X(size_t, LLVMGetBufferSize, (LLVMMemoryBufferRef))                                                            \
	X(void, LLVMDisposeMemoryBuffer, (LLVMMemoryBufferRef))                                                        \
	X(LLVMBool, LLVMParseBitcodeInContext, (LLVMContextRef, LLVMMemoryBufferRef, LLVMModuleRef *, char **))        \
	X(LLVMBool, LLVMGetBitcodeModuleInContext2, (LLVMContextRef, LLVMMemoryBufferRef, LLVMModuleRef *))            \
	X(LLVMPassManagerRef, LLVMCreateFunctionPassManagerForModule, (LLVMModuleRef))                                 \
	X(LLVMBool, LLVMRunFunctionPassManager, (LLVMPassManagerRef, LLVMValueRef))                                    \
	X(void, LLVMDisposePassManager, (LLVMPassManagerRef))                                                          \
	X(void, LLVMSetVisibility, (LLVMValueRef, int))                                                                \
	X(void, LLVMDeleteGlobal, (LLVMValueRef))                                                                      \
	X(int, LLVMGetInstructionOpcode, (LLVMValueRef))                                                               \
	X(LLVMValueRef, LLVMGetCalledValue, (LLVMValueRef))                                                            \
	X(LLVMValueRef, LLVMIsABlockAddress, (LLVMValueRef))                                                           \
	X(LLVMValueRef, LLVMIsAInstruction, (LLVMValueRef))                                                            \
	X(LLVMValueRef, LLVMBasicBlockAsValue, (LLVMBasicBlockRef))                                                    \
	X(LLVMBasicBlockRef, LLVMGetInstructionParent, (LLVMValueRef))                                                 \
	X(LLVMValueRef, LLVMGetBasicBlockParent, (LLVMBasicBlockRef))                                                  \
	X(LLVMUseRef, LLVMGetFirstUse, (LLVMValueRef))                                                                 \
	X(LLVMUseRef, LLVMGetNextUse, (LLVMUseRef))                                                                    \
	X(LLVMValueRef, LLVMGetUser, (LLVMUseRef))                                                                     \
	X(LLVMBool, LLVMParseIRInContext, (LLVMContextRef, LLVMMemoryBufferRef, LLVMModuleRef *, char **))             \
	X(LLVMMemoryBufferRef, LLVMWriteBitcodeToMemoryBuffer, (LLVMModuleRef))                                        \
	X(void, LLVMDisposeModule, (LLVMModuleRef))                                                                    \
	X(void, LLVMSetModuleIdentifier, (LLVMModuleRef, const char *, size_t))                                        \
	X(void, LLVMSetTarget, (LLVMModuleRef, const char *))                                                          \
	X(void, LLVMSetModuleDataLayout, (LLVMModuleRef, LLVMTargetDataRef))                                           \
	X(const char *, LLVMGetTarget, (LLVMModuleRef))                                                                \
	X(const char *, LLVMGetDataLayoutStr, (LLVMModuleRef))                                                         \
	X(const char *, LLVMGetModuleInlineAsm, (LLVMModuleRef, size_t *))                                             \
	X(char *, LLVMNormalizeTargetTriple, (const char *))                                                           \
	X(char *, LLVMCopyStringRepOfTargetData, (LLVMTargetDataRef))                                                  \
	X(char *, LLVMPrintModuleToString, (LLVMModuleRef))                                                            \
	X(LLVMBool, LLVMVerifyModule, (LLVMModuleRef, int, char **))                                                   \
	X(LLVMBool, LLVMVerifyFunction, (LLVMValueRef, int))                                                           \
	X(LLVMValueRef, LLVMGetFirstFunction, (LLVMModuleRef))                                                         \
	X(LLVMValueRef, LLVMGetNextFunction, (LLVMValueRef))                                                           \
	X(LLVMValueRef, LLVMGetNamedFunction, (LLVMModuleRef, const char *))                                           \
	X(LLVMValueRef, LLVMGetFirstGlobal, (LLVMModuleRef))                                                           \
	X(LLVMValueRef, LLVMGetNextGlobal, (LLVMValueRef))                                                             \
	X(LLVMValueRef, LLVMGetFirstGlobalAlias, (LLVMModuleRef))                                                      \
	X(LLVMValueRef, LLVMGetNextGlobalAlias, (LLVMValueRef))                                                        \
	X(LLVMValueRef, LLVMGetFirstGlobalIFunc, (LLVMModuleRef))                                                      \
	X(LLVMValueRef, LLVMGetNextGlobalIFunc, (LLVMValueRef))                                                        \
	X(unsigned, LLVMGetIntrinsicID, (LLVMValueRef))                                                                \
	X(LLVMBool, LLVMIsThreadLocal, (LLVMValueRef))                                                                 \
	X(LLVMValueRef, LLVMIsAGlobalVariable, (LLVMValueRef))                                                         \
	X(LLVMValueRef, LLVMIsAGlobalAlias, (LLVMValueRef))                                                            \
	X(LLVMValueRef, LLVMAliasGetAliasee, (LLVMValueRef))                                                           \
	X(LLVMValueRef, LLVMIsAConstantExpr, (LLVMValueRef))                                                           \
	X(int, LLVMGetConstOpcode, (LLVMValueRef))                                                                     \
	X(LLVMValueRef, LLVMGetOperand, (LLVMValueRef, unsigned))                                                      \
	X(int, LLVMGetNumOperands, (LLVMValueRef))                                                                     \
	X(LLVMValueRef, LLVMIsAConstantPointerNull, (LLVMValueRef))                                                    \
	X(unsigned, LLVMGetArrayLength, (LLVMTypeRef))                                                                 \
	X(LLVMTypeRef, LLVMGlobalGetValueType, (LLVMValueRef))                                                         \
	X(LLVMBool, LLVMIsFunctionVarArg, (LLVMTypeRef))                                                               \
	X(unsigned, LLVMCountParamTypes, (LLVMTypeRef))                                                                \
	X(void, LLVMGetParamTypes, (LLVMTypeRef, LLVMTypeRef *))                                                       \
	X(LLVMTypeRef, LLVMGetReturnType, (LLVMTypeRef))                                                               \
	X(int, LLVMGetTypeKind, (LLVMTypeRef))                                                                         \
	X(unsigned, LLVMGetIntTypeWidth, (LLVMTypeRef))                                                                \
	X(LLVMBool, LLVMIsDeclaration, (LLVMValueRef))                                                                 \
	X(LLVMValueRef, LLVMIsAGlobalObject, (LLVMValueRef))                                                           \
	X(LLVMModuleRef, LLVMGetGlobalParent, (LLVMValueRef))                                                          \
	X(int, LLVMGetVisibility, (LLVMValueRef))                                                                      \
	X(int, LLVMGetDLLStorageClass, (LLVMValueRef))                                                                 \
	X(void, LLVMSetDLLStorageClass, (LLVMValueRef, int))                                                           \
	X(LLVMComdatRef, LLVMGetOrInsertComdat, (LLVMModuleRef, const char *))                                         \
	X(void, LLVMSetComdat, (LLVMValueRef, LLVMComdatRef))                                                          \
	X(void, LLVMSetComdatSelectionKind, (LLVMComdatRef, int))                                                      \
	X(LLVMBool, LLVMHasPersonalityFn, (LLVMValueRef))                                                              \
	X(LLVMBasicBlockRef, LLVMGetFirstBasicBlock, (LLVMValueRef))                                                   \
	X(LLVMBasicBlockRef, LLVMGetNextBasicBlock, (LLVMBasicBlockRef))                                               \
	X(LLVMComdatRef, LLVMGetComdat, (LLVMValueRef))                                                                \
	X(LLVMTargetDataRef, LLVMGetModuleDataLayout, (LLVMModuleRef))                                                 \
	X(unsigned long long, LLVMABISizeOfType, (LLVMTargetDataRef, LLVMTypeRef))                                     \
	X(int, LLVMGetLinkage, (LLVMValueRef))                                                                         \
	X(const char *, LLVMGetValueName2, (LLVMValueRef, size_t *))                                                   \
	X(const char *, LLVMGetSection, (LLVMValueRef))                                                                \
	X(void, LLVMSetSection, (LLVMValueRef, const char *))                                                          \
	X(unsigned, LLVMGetEnumAttributeKindForName, (const char *, size_t))                                           \
	X(LLVMAttributeRef, LLVMCreateEnumAttribute, (LLVMContextRef, unsigned, uint64_t))                             \
	X(LLVMAttributeRef, LLVMCreateStringAttribute, (LLVMContextRef, const char *, unsigned, const char *, unsigned)) \
	X(void, LLVMAddAttributeAtIndex, (LLVMValueRef, int, LLVMAttributeRef))                                        \
	X(LLVMContextRef, LLVMGetModuleContext, (LLVMModuleRef))                                                       \
	X(unsigned, LLVMGetAttributeCountAtIndex, (LLVMValueRef, int))                                                 \
	X(LLVMAttributeRef, LLVMGetEnumAttributeAtIndex, (LLVMValueRef, int, unsigned))                                \
	X(LLVMValueRef, LLVMIsAFunction, (LLVMValueRef))                                                               \
	X(LLVMTypeRef, LLVMGetTypeAttributeValue, (LLVMAttributeRef))                                                  \
	X(unsigned, LLVMGetFunctionCallConv, (LLVMValueRef))                                                           \
	X(LLVMBool, LLVMTypeIsSized, (LLVMTypeRef))                                                                    \
	X(LLVMTypeRef, LLVMGetElementType, (LLVMTypeRef))                                                              \
	X(unsigned, LLVMGetVectorSize, (LLVMTypeRef))                                                                  \
	X(unsigned, LLVMCountStructElementTypes, (LLVMTypeRef))                                                        \
	X(LLVMTypeRef, LLVMStructGetTypeAtIndex, (LLVMTypeRef, unsigned))                                              \
	X(void, LLVMConsumeError, (LLVMErrorRef))                                                                      \
	X(LLVMModuleRef, LLVMModuleCreateWithNameInContext, (const char *, LLVMContextRef))                            \
	X(void, LLVMSetSourceFileName, (LLVMModuleRef, const char *, size_t))                                          \
	X(LLVMTypeRef, LLVMVoidTypeInContext, (LLVMContextRef))                                                        \
	X(LLVMTypeRef, LLVMDoubleTypeInContext, (LLVMContextRef))                                                      \
	X(LLVMTypeRef, LLVMFloatTypeInContext, (LLVMContextRef))                                                       \
	X(LLVMTypeRef, LLVMIntTypeInContext, (LLVMContextRef, unsigned))                                               \
	X(LLVMTypeRef, LLVMPointerType, (LLVMTypeRef, unsigned))                                                       \
	X(LLVMTypeRef, LLVMFunctionType, (LLVMTypeRef, LLVMTypeRef *, unsigned, LLVMBool))                             \
	X(LLVMTypeRef, LLVMStructTypeInContext, (LLVMContextRef, LLVMTypeRef *, unsigned, LLVMBool))                   \
	X(LLVMValueRef, LLVMAddFunction, (LLVMModuleRef, const char *, LLVMTypeRef))                                   \
	X(void, LLVMSetLinkage, (LLVMValueRef, int))                                                                   \
	X(unsigned, LLVMCountParams, (LLVMValueRef))                                                                   \
	X(LLVMValueRef, LLVMGetParam, (LLVMValueRef, unsigned))                                                        \
	X(void, LLVMSetValueName2, (LLVMValueRef, const char *, size_t))                                               \
	X(LLVMValueRef, LLVMConstReal, (LLVMTypeRef, double))                                                          \
	X(LLVMValueRef, LLVMConstInt, (LLVMTypeRef, unsigned long long, LLVMBool))                                     \
	X(LLVMValueRef, LLVMConstNull, (LLVMTypeRef))                                                                  \
	X(LLVMBasicBlockRef, LLVMAppendBasicBlockInContext, (LLVMContextRef, LLVMValueRef, const char *))              \
	X(LLVMValueRef, LLVMGetFirstInstruction, (LLVMBasicBlockRef))                                                  \
	X(LLVMValueRef, LLVMGetNextInstruction, (LLVMValueRef))                                                        \
	X(LLVMValueRef, LLVMIsAPHINode, (LLVMValueRef))                                                                \
	X(LLVMBuilderRef, LLVMCreateBuilderInContext, (LLVMContextRef))                                                \
	X(void, LLVMDisposeBuilder, (LLVMBuilderRef))                                                                  \
	X(void, LLVMPositionBuilderAtEnd, (LLVMBuilderRef, LLVMBasicBlockRef))                                         \
	X(void, LLVMPositionBuilderBefore, (LLVMBuilderRef, LLVMValueRef))                                             \
	X(LLVMValueRef, LLVMBuildRet, (LLVMBuilderRef, LLVMValueRef))                                                  \
	X(LLVMValueRef, LLVMBuildRetVoid, (LLVMBuilderRef))                                                            \
	X(LLVMValueRef, LLVMBuildBr, (LLVMBuilderRef, LLVMBasicBlockRef))                                              \
	X(LLVMValueRef, LLVMBuildCondBr, (LLVMBuilderRef, LLVMValueRef, LLVMBasicBlockRef, LLVMBasicBlockRef))         \
	X(LLVMValueRef, LLVMBuildBinOp, (LLVMBuilderRef, int, LLVMValueRef, LLVMValueRef, const char *))               \
	X(LLVMValueRef, LLVMBuildICmp, (LLVMBuilderRef, int, LLVMValueRef, LLVMValueRef, const char *))                \
	X(LLVMValueRef, LLVMBuildFCmp, (LLVMBuilderRef, int, LLVMValueRef, LLVMValueRef, const char *))                \
	X(LLVMValueRef, LLVMBuildCast, (LLVMBuilderRef, int, LLVMValueRef, LLVMTypeRef, const char *))                 \
	X(LLVMValueRef, LLVMBuildAlloca, (LLVMBuilderRef, LLVMTypeRef, const char *))                                  \
	X(LLVMValueRef, LLVMBuildLoad2, (LLVMBuilderRef, LLVMTypeRef, LLVMValueRef, const char *))                     \
	X(LLVMValueRef, LLVMBuildStore, (LLVMBuilderRef, LLVMValueRef, LLVMValueRef))                                  \
	X(LLVMValueRef, LLVMBuildGEP2,                                                                                 \
	  (LLVMBuilderRef, LLVMTypeRef, LLVMValueRef, LLVMValueRef *, unsigned, const char *))                         \
	X(LLVMValueRef, LLVMBuildPhi, (LLVMBuilderRef, LLVMTypeRef, const char *))                                     \
	X(void, LLVMAddIncoming, (LLVMValueRef, LLVMValueRef *, LLVMBasicBlockRef *, unsigned))                        \
	X(LLVMValueRef, LLVMBuildCall2,                                                                                \
	  (LLVMBuilderRef, LLVMTypeRef, LLVMValueRef, LLVMValueRef *, unsigned, const char *))                         \
	X(LLVMBool, LLVMGetTargetFromTriple, (const char *, LLVMTargetRef *, char **))                                 \
	X(unsigned, LLVMGetNamedMetadataNumOperands, (LLVMModuleRef, const char *))                                    \
	X(void, LLVMGetNamedMetadataOperands, (LLVMModuleRef, const char *, LLVMValueRef *))                           \
	X(unsigned, LLVMGetMDNodeNumOperands, (LLVMValueRef))                                                          \
	X(void, LLVMGetMDNodeOperands, (LLVMValueRef, LLVMValueRef *))                                                 \
	X(const char *, LLVMGetMDString, (LLVMValueRef, unsigned *))                                                   \
	X(LLVMTargetDataRef, LLVMCreateTargetData, (const char *))                                                     \
	X(unsigned long long, LLVMOffsetOfElement, (LLVMTargetDataRef, LLVMTypeRef, unsigned))                         \
	X(LLVMValueRef, LLVMIsAGetElementPtrInst, (LLVMValueRef))                                                      \
	X(LLVMValueRef, LLVMIsAAllocaInst, (LLVMValueRef))                                                             \
	X(LLVMValueRef, LLVMGetInitializer, (LLVMValueRef))                                                            \
	X(LLVMValueRef, LLVMIsAConstant, (LLVMValueRef))                                                               \
	X(LLVMValueRef, LLVMIsAGlobalValue, (LLVMValueRef))                                                            \
	X(LLVMTypeRef, LLVMGetGEPSourceElementType, (LLVMValueRef))                                                    \
	X(LLVMTypeRef, LLVMGetAllocatedType, (LLVMValueRef))                                                           \
	X(LLVMTargetMachineRef, LLVMCreateTargetMachine,                                                               \
	  (LLVMTargetRef, const char *, const char *, const char *, int, int, int))                                    \
	X(void, LLVMDisposeTargetMachine, (LLVMTargetMachineRef))                                                      \
	X(LLVMTargetDataRef, LLVMCreateTargetDataLayout, (LLVMTargetMachineRef))                                       \
	X(void, LLVMDisposeTargetData, (LLVMTargetDataRef))                                                            \
	X(LLVMPassBuilderOptionsRef, LLVMCreatePassBuilderOptions, (void))                                             \
	X(void, LLVMDisposePassBuilderOptions, (LLVMPassBuilderOptionsRef))                                            \
	X(LLVMErrorRef, LLVMRunPasses, (LLVMModuleRef, const char *, LLVMTargetMachineRef, LLVMPassBuilderOptionsRef)) \
	X(void, LLVMParseCommandLineOptions, (int, const char *const *, const char *))                                 \
	X(char *, LLVMGetErrorMessage, (LLVMErrorRef))                                                                 \
	X(void, LLVMDisposeErrorMessage, (char *))                                                                     \
	X(LLVMBool, LLVMTargetMachineEmitToMemoryBuffer,                                                               \
	  (LLVMTargetMachineRef, LLVMModuleRef, int, char **, LLVMMemoryBufferRef *))

#define FARJIT_LLVM_MEMBER(result, name, parameters) result(*name) parameters;

/* The loaded libLLVM. Set once by farjit_load_llvm, constant afterwards. */
struct farjit_llvm {
	FARJIT_LLVM_FUNCTIONS(FARJIT_LLVM_MEMBER)
	unsigned major_version;
	/* `22.1.8`; only the major version for those before 16, which do not tell. */
	char version[32];
};

extern struct farjit_llvm llvm;

/* Loads the library at `path` and binds all of the above. False: `message` says why. */
_Bool farjit_load_llvm(const char *path, char *message, size_t message_bytes);
/* Makes the back end of a triple known to LLVM. False: this libLLVM has none for it. */
_Bool farjit_initialize_back_end(const char *triple);

#endif
