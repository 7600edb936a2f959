#include "emit/check_generated.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emit/libclang.h"

enum { PATH_BYTES = 4096 };

typedef struct checker {
    const program *program; /* NULL for support files */
    const char *file;       /* name in messages */
    const char *include;
    CXTranslationUnit unit;
    uint32_t next_layer; /* functions seen so far */
    uint32_t next_call;  /* calls of layer functions in the last function */
    bool has_run;
    bool in_layer; /* the function being visited is a layer's */
    mica_status *status;
} checker;

/* --- messages --- */

static void fail_at(checker *k, CXCursor at, const char *what, const char *name) {
    unsigned line = 0;
    libclang.getSpellingLocation(libclang.getCursorLocation(at), NULL, &line, NULL, NULL);
    mica_fail(k->status, MICA_ERR_INTERNAL, "generated code check: %s, line %u: %s%s%s", k->file, line, what,
              *name ? " " : "", name);
}

static void fail_at_cursor(checker *k, CXCursor at, const char *what) {
    CXString name = libclang.getCursorSpelling(at);
    fail_at(k, at, what, libclang.getCString(name) ? libclang.getCString(name) : "");
    libclang.disposeString(name);
}

static bool failed(const checker *k) {
    return k->status->code != MICA_OK;
}

/* --- parsing --- */

static void report_diagnostics(checker *k) {
    const unsigned n = libclang.getNumDiagnostics(k->unit);
    for (unsigned i = 0; i < n && !failed(k); i++) {
        CXDiagnostic d = libclang.getDiagnostic(k->unit, i);
        if (libclang.getDiagnosticSeverity(d) >= CXDiagnostic_Warning) {
            CXString words = libclang.formatDiagnostic(d, CXDiagnostic_DisplayOption);
            mica_fail(k->status, MICA_ERR_INTERNAL, "generated code check: %s: %s", k->file,
                      libclang.getCString(words));
            libclang.disposeString(words);
        }
        libclang.disposeDiagnostic(d);
    }
}

static bool parse(checker *k, CXIndex index, const char *directory) {
    char path[PATH_BYTES];
    const char *const arguments[] = {"-std=gnu17",           "-Wall", "-Wextra", "-Wconversion", "-Wshadow",
                                     "-fparse-all-comments", "-I",    directory, "-I",           k->include};
    const int n = snprintf(path, sizeof path, "%s/%s", directory, k->file);
    if (n < 0 || (size_t)n >= sizeof path)
        return mica_fail(k->status, MICA_ERR_IO, "%s: path is too long", directory);
    const enum CXErrorCode error =
        libclang.parseTranslationUnit2(index, path, arguments, sizeof arguments / sizeof *arguments, NULL, 0,
                                       CXTranslationUnit_None, &k->unit);
    if (error != CXError_Success)
        return mica_fail(k->status, MICA_ERR_INTERNAL, "generated code check: %s cannot be parsed (%d)", path,
                         (int)error);
    report_diagnostics(k);
    return !failed(k);
}

/* --- rules on expressions --- */

static bool is_floating(CXType type) {
    type = libclang.getCanonicalType(type);
    for (unsigned depth = 0; depth < 16; depth++) {
        CXType inner = libclang.getPointeeType(type);
        if (inner.kind == CXType_Invalid)
            inner = libclang.getArrayElementType(type);
        if (inner.kind == CXType_Invalid)
            break;
        type = libclang.getCanonicalType(inner);
    }
    switch (type.kind) {
    case CXType_Float:
    case CXType_Double:
    case CXType_LongDouble:
    case CXType_Float128:
    case CXType_Half:
    case CXType_Float16:
    case CXType_BFloat16:
    case CXType_Complex:
        return true;
    default:
        return false;
    }
}

/* Of an array the elements count. */
static bool is_const(CXType type) {
    for (CXType e = libclang.getArrayElementType(type); e.kind != CXType_Invalid;
         e = libclang.getArrayElementType(e))
        type = e;
    return libclang.isConstQualifiedType(type);
}

/* Whether the declaration stands in a header <include>/mica/... */
static bool is_public(const checker *k, CXCursor declaration) {
    CXFile file;
    libclang.getSpellingLocation(libclang.getCursorLocation(declaration), &file, NULL, NULL, NULL);
    if (!file)
        return false;
    CXString name = libclang.getFileName(file);
    const char *path = libclang.getCString(name);
    const size_t n = strlen(k->include);
    const bool found = path && strncmp(path, k->include, n) == 0 && strncmp(path + n, "/mica/", 6) == 0;
    libclang.disposeString(name);
    return found;
}

/* layer_007_...: the layer that a function's name stands for; UINT32_MAX if it is no layer function. */
static uint32_t layer_of_name(const char *name) {
    static const char prefix[] = "layer_";
    char *end;
    if (strncmp(name, prefix, sizeof prefix - 1) != 0)
        return UINT32_MAX;
    const unsigned long layer = strtoul(name + sizeof prefix - 1, &end, 10);
    return *end == '_' && end > name + sizeof prefix - 1 && layer < UINT32_MAX ? (uint32_t)layer : UINT32_MAX;
}

static uint32_t layer_of_function(CXCursor function) {
    CXString name = libclang.getCursorSpelling(function);
    const uint32_t layer = layer_of_name(libclang.getCString(name));
    libclang.disposeString(name);
    return layer;
}

static void check_call(checker *k, CXCursor call) {
    const CXCursor callee = libclang.getCursorReferenced(call);
    if (libclang.getCursorKind(callee) != CXCursor_FunctionDecl) {
        fail_at_cursor(k, call, "call through a pointer");
        return;
    }
    const uint32_t layer = layer_of_function(callee);
    if (layer == UINT32_MAX) {
        if (!is_public(k, callee))
            fail_at_cursor(k, callee, "call of a function outside the public headers:");
        return;
    }
    if (k->in_layer || layer != k->next_call)
        fail_at_cursor(k, call, "layers are not called in order:");
    k->next_call++;
}

static enum CXChildVisitResult visit_inside(CXCursor at, CXCursor parent, CXClientData data) {
    checker *k = data;
    (void)parent;
    const enum CXCursorKind kind = libclang.getCursorKind(at);
    if (kind == CXCursor_FloatingLiteral || kind == CXCursor_ImaginaryLiteral ||
        is_floating(libclang.getCursorType(at)))
        fail_at_cursor(k, at, "floating point");
    else if (kind == CXCursor_GCCAsmStmt || kind == CXCursor_MSAsmStmt)
        fail_at_cursor(k, at, "inline assembly");
    else if (kind == CXCursor_VarDecl && libclang.Cursor_getStorageClass(at) != CX_SC_None &&
             libclang.Cursor_getStorageClass(at) != CX_SC_Auto &&
             libclang.Cursor_getStorageClass(at) != CX_SC_Register && !is_const(libclang.getCursorType(at)))
        fail_at_cursor(k, at, "variable that outlives the call:");
    else if (kind == CXCursor_CallExpr && k->program)
        check_call(k, at);
    return failed(k) ? CXChildVisit_Break : CXChildVisit_Recurse;
}

/* --- rules on headings --- */

static bool is_result(const step *s, unsigned i) {
    if (s->tensor[i] == UINT32_MAX)
        return false;
    return s->kind == STEP_LOOKUP ? i > 0 : i == 0 || !program_step_reads(s);
}

/* The line "// tN kind [shape] in [lo, hi]" as the circuit has it; a note may follow after a comma. */
static void expected_line(const program *p, uint32_t t, char *out, size_t size) {
    static const char *const kinds[] = {"input", "weight", "witness", "linear", "contract", "placement"};
    const mica_tensor *x = &p->circuit.tensor[t];
    size_t n = (size_t)snprintf(out, size, "// t%u %s [", t, kinds[x->kind]);
    for (unsigned i = 0; i < x->rank; i++)
        n += (size_t)snprintf(out + n, size - n, i ? ",%u" : "%u", x->dim[i]);
    (void)snprintf(out + n, size - n, "] in [%d, %d]", x->lo, x->hi);
}

static bool has_line(const char *heading, const char *line) {
    const size_t n = strlen(line);
    for (const char *at = strstr(heading, line); at; at = strstr(at + 1, line)) {
        if ((at == heading || at[-1] == '\n') && (at[n] == '\n' || at[n] == '\0' || at[n] == ','))
            return true;
    }
    return false;
}

static unsigned count_tensor_lines(const char *heading) {
    unsigned n = 0;
    for (const char *at = strstr(heading, "// t"); at; at = strstr(at + 1, "// t"))
        n += at[4] >= '0' && at[4] <= '9';
    return n;
}

static void check_heading(checker *k, CXCursor function, uint32_t layer, const char *heading) {
    const program *p = k->program;
    char line[320];
    unsigned results = 0;
    (void)snprintf(line, sizeof line, "// Layer %u:", layer);
    if (strncmp(heading, line, strlen(line)) != 0) {
        fail_at_cursor(k, function, "the heading does not name the layer of");
        return;
    }
    for (uint32_t i = 0; i < p->n_steps; i++) {
        for (unsigned j = 0; p->step[i].layer == layer && j < STEP_MAX_TENSORS; j++) {
            if (!is_result(&p->step[i], j))
                continue;
            expected_line(p, p->step[i].tensor[j], line, sizeof line);
            results++;
            if (!has_line(heading, line)) {
                fail_at(k, function, "the heading lacks the proven range", line);
                return;
            }
        }
    }
    if (count_tensor_lines(heading) != results)
        fail_at_cursor(k, function, "the heading lists other tensors than the layer computes:");
    const layer_note *note = p->note ? &p->note[layer] : NULL;
    if (note && (note->acc_lo != 0 || note->acc_hi != 0)) {
        (void)snprintf(line, sizeof line, "// accumulator in [%lld, %lld]", (long long)note->acc_lo,
                       (long long)note->acc_hi);
        if (!has_line(heading, line))
            fail_at(k, function, "the heading lacks the accumulator's range", line);
    }
}

/* --- rules on declarations of file scope --- */

static void check_layer_function(checker *k, CXCursor function, uint32_t layer) {
    if (layer != k->next_layer || layer >= k->program->circuit.n_layers) {
        fail_at_cursor(k, function, "not the next layer's function:");
        return;
    }
    k->next_layer++;
    if (libclang.getCursorLinkage(function) != CXLinkage_Internal)
        fail_at_cursor(k, function, "a layer's function is not static:");
    CXString heading = libclang.Cursor_getRawCommentText(function);
    check_heading(k, function, layer, libclang.getCString(heading) ? libclang.getCString(heading) : "");
    libclang.disposeString(heading);
}

static void check_function(checker *k, CXCursor function) {
    const uint32_t layer = layer_of_function(function);
    k->in_layer = layer != UINT32_MAX;
    k->next_call = 0;
    if (k->program && k->in_layer)
        check_layer_function(k, function, layer);
    else if (k->program && k->has_run)
        fail_at_cursor(k, function, "a function that is no layer's:");
    if (!failed(k))
        (void)libclang.visitChildren(function, visit_inside, k);
    if (k->program && !k->in_layer && !failed(k)) {
        k->has_run = true;
        if (k->next_call != k->program->circuit.n_layers)
            fail_at_cursor(k, function, "not every layer is called by");
    }
}

static enum CXChildVisitResult visit_file(CXCursor at, CXCursor parent, CXClientData data) {
    checker *k = data;
    (void)parent;
    if (!libclang.Location_isFromMainFile(libclang.getCursorLocation(at)))
        return CXChildVisit_Continue;
    const enum CXCursorKind kind = libclang.getCursorKind(at);
    if (kind == CXCursor_FunctionDecl && libclang.isCursorDefinition(at)) {
        check_function(k, at);
    } else if (kind == CXCursor_VarDecl) {
        CXType type = libclang.getCursorType(at);
        if (!is_const(type))
            fail_at_cursor(k, at, "mutable variable of file scope:");
        if (is_floating(type))
            fail_at_cursor(k, at, "floating point");
    }
    return failed(k) ? CXChildVisit_Break : CXChildVisit_Continue;
}

static bool check_file(checker *k, const char *directory) {
    if (!libclang_open(k->status))
        return false;
    CXIndex index = libclang.createIndex(0, 0);
    if (!index)
        return mica_fail(k->status, MICA_ERR_INTERNAL, "libclang cannot be started");
    if (parse(k, index, directory))
        (void)libclang.visitChildren(libclang.getTranslationUnitCursor(k->unit), visit_file, k);
    if (k->unit)
        libclang.disposeTranslationUnit(k->unit);
    libclang.disposeIndex(index);
    return !failed(k);
}

bool check_model_c(const program *p, const char *directory, const char *name, const char *include,
                   mica_status *st) {
    char file[PATH_BYTES];
    (void)snprintf(file, sizeof file, "%s.c", name);
    checker k = {.program = p, .file = file, .include = include, .status = st};
    if (!check_file(&k, directory))
        return false;
    if (k.next_layer != p->circuit.n_layers || !k.has_run)
        return mica_fail(st, MICA_ERR_INTERNAL, "generated code check: %s has %u layer functions of %u%s",
                         file, k.next_layer, p->circuit.n_layers,
                         k.has_run ? "" : " and none that runs them");
    return true;
}

bool check_support_c(const char *directory, const char *file, const char *include, mica_status *st) {
    checker k = {.file = file, .include = include, .status = st};
    return check_file(&k, directory);
}
