#include "mica/status.h"

#include <stdarg.h>
#include <stdio.h>

bool(mica_fail)(mica_status *st, mica_code code, const char *format, ...) {
    if (st && st->code == MICA_OK) {
        va_list args;
        st->code = code;
        va_start(args, format);
        (void)vsnprintf(st->message, sizeof st->message, format, args);
        va_end(args);
    }
    return false;
}

bool mica_reject(mica_verdict *v, mica_verdict_code code, uint32_t layer, uint32_t round, const char *format,
                 ...) {
    if (v->code == MICA_VERDICT_UNSET) {
        va_list args;
        v->code = code;
        v->layer = layer;
        v->round = round;
        va_start(args, format);
        (void)vsnprintf(v->detail, sizeof v->detail, format, args);
        va_end(args);
    }
    return false;
}

const char *mica_verdict_name(mica_verdict_code code) {
    switch (code) {
    case MICA_VERDICT_UNSET:
        return "undecided";
    case MICA_REJECT_MALFORMED:
        return "malformed proof";
    case MICA_REJECT_STATEMENT:
        return "statement not admissible";
    case MICA_REJECT_SECURITY:
        return "too few bits of security";
    case MICA_REJECT_POW:
        return "proof of work";
    case MICA_REJECT_LOGUP_ROOT:
        return "lookup sum";
    case MICA_REJECT_LOGUP_ROUND:
        return "lookup round";
    case MICA_REJECT_LOGUP_LEAF:
        return "lookup columns";
    case MICA_REJECT_LINEAR:
        return "linear relation";
    case MICA_REJECT_CONTRACT:
        return "contraction";
    case MICA_REJECT_PLACEMENT:
        return "placement";
    case MICA_REJECT_PUBLIC:
        return "public values";
    case MICA_REJECT_MERKLE:
        return "commitment path";
    case MICA_REJECT_OPENING:
        return "opening";
    case MICA_ACCEPT:
        return "accepted";
    }
    return "unknown";
}
