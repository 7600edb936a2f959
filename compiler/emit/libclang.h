/* libclang, opened when it is first needed: it takes 30 MB and 20 ms to load, which verifying and inspecting
 * do without. Call sites use libclang's own names. */
#ifndef MICA_COMPILER_EMIT_LIBCLANG_H
#define MICA_COMPILER_EMIT_LIBCLANG_H

#include <clang-c/Index.h>

#include "mica/status.h"

/* Every function that Mica calls, once. */
#define LIBCLANG_FUNCTIONS(F)                                                                                \
    F(Cursor_getRawCommentText)                                                                              \
    F(Cursor_getStorageClass)                                                                                \
    F(Location_isFromMainFile)                                                                               \
    F(createIndex)                                                                                           \
    F(disposeDiagnostic)                                                                                     \
    F(disposeIndex)                                                                                          \
    F(disposeString)                                                                                         \
    F(disposeTranslationUnit)                                                                                \
    F(formatDiagnostic)                                                                                      \
    F(getArrayElementType)                                                                                   \
    F(getCString)                                                                                            \
    F(getCanonicalType)                                                                                      \
    F(getCursorKind)                                                                                         \
    F(getCursorLinkage)                                                                                      \
    F(getCursorLocation)                                                                                     \
    F(getCursorReferenced)                                                                                   \
    F(getCursorSpelling)                                                                                     \
    F(getCursorType)                                                                                         \
    F(getDiagnostic)                                                                                         \
    F(getDiagnosticSeverity)                                                                                 \
    F(getFileName)                                                                                           \
    F(getNumDiagnostics)                                                                                     \
    F(getPointeeType)                                                                                        \
    F(getSpellingLocation)                                                                                   \
    F(getTranslationUnitCursor)                                                                              \
    F(isConstQualifiedType)                                                                                  \
    F(isCursorDefinition)                                                                                    \
    F(parseTranslationUnit2)                                                                                 \
    F(visitChildren)

typedef struct libclang_functions {
#define LIBCLANG_MEMBER(name) __typeof__(clang_##name) *name;
    LIBCLANG_FUNCTIONS(LIBCLANG_MEMBER)
#undef LIBCLANG_MEMBER
} libclang_functions;

/* The functions, once libclang_open has succeeded. */
extern libclang_functions libclang;

/* Opens the library that this build was configured with; false and a recorded error if it is not there. */
bool libclang_open(mica_status *st);

#endif
