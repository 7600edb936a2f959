#include "mica/statement.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "format/statement_pieces.h"

#define FIXED_BYTES (8 + 4 + MICA_DIGEST_BYTES + 4 + 4) /* magic, version, digest, batch, nonce size */

uint64_t mica_port_cells(const mica_circuit *c, const mica_port *p) {
    const mica_tensor *x = &c->tensor[p->tensor];
    uint64_t n = 1;
    for (unsigned i = 0; i < x->rank; i++)
        n *= x->dim[i];
    return n;
}

/* What the statement holds of one item of a port. */
static uint64_t shown_bytes(const mica_circuit *c, const mica_port *p) {
    switch (p->visibility) {
    case MICA_PUBLIC:
        return 4 * mica_port_cells(c, p);
    case MICA_COMMITTED:
        return MICA_DIGEST_BYTES;
    case MICA_PRIVATE:
        break;
    }
    return 0;
}

static uint64_t item_bytes(const mica_circuit *c) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < c->n_inputs; i++)
        n += shown_bytes(c, &c->input[i]);
    for (uint32_t i = 0; i < c->n_outputs; i++)
        n += shown_bytes(c, &c->output[i]);
    return n;
}

/* Arrays for n ports; hidden: values that the statement does not show as well. False if out of memory. */
static bool create_arrays(const mica_circuit *c, const mica_port *port, uint32_t n, uint32_t batch,
                          bool hidden, int32_t ***value, uint8_t ***digest) {
    *value = calloc((size_t)n + 1, sizeof **value);
    *digest = calloc((size_t)n + 1, sizeof **digest);
    bool ok = *value && *digest;
    for (uint32_t i = 0; ok && i < n; i++) {
        if (hidden || port[i].visibility == MICA_PUBLIC)
            ok = ((*value)[i] = calloc((size_t)(mica_port_cells(c, &port[i]) * batch), sizeof(int32_t))) !=
                 NULL;
        if (ok && port[i].visibility == MICA_COMMITTED)
            ok = ((*digest)[i] = calloc(batch, MICA_DIGEST_BYTES)) != NULL;
    }
    return ok;
}

static bool statement_create(mica_statement *s, const mica_circuit *c, uint32_t batch, bool hidden,
                             mica_status *st) {
    memset(s, 0, sizeof *s);
    if (batch < 1 || batch > c->max_batch)
        return mica_fail(st, MICA_ERR_LIMIT, "a batch of %u; these parameters allow 1 to %u", batch,
                         c->max_batch);
    s->batch = batch;
    if (!create_arrays(c, c->input, c->n_inputs, batch, hidden, &s->input, &s->input_digest) ||
        !create_arrays(c, c->output, c->n_outputs, batch, hidden, &s->output, &s->output_digest)) {
        mica_statement_free(s, c);
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for the values of a batch of %u", batch);
    }
    return true;
}

bool mica_statement_create(mica_statement *s, const mica_circuit *c, uint32_t batch, mica_status *st) {
    return statement_create(s, c, batch, true, st);
}

static void free_arrays(uint32_t n, int32_t **value, uint8_t **digest) {
    for (uint32_t i = 0; value && i < n; i++)
        free(value[i]);
    for (uint32_t i = 0; digest && i < n; i++)
        free(digest[i]);
    free(value);
    free(digest);
}

void mica_statement_free(mica_statement *s, const mica_circuit *c) {
    free_arrays(c->n_inputs, s->input, s->input_digest);
    free_arrays(c->n_outputs, s->output, s->output_digest);
    memset(s, 0, sizeof *s);
}

size_t mica_statement_bytes(const mica_circuit *c, uint32_t batch, uint32_t nonce_size) {
    return FIXED_BYTES + nonce_size + (size_t)(item_bytes(c) * batch);
}

static void values_pieces(const int32_t *value, uint64_t n, statement_take *take, void *to) {
    enum { AT_ONCE = 512 };
    uint8_t bytes[4 * AT_ONCE];
    for (uint64_t i = 0; i < n; i += AT_ONCE) {
        const size_t count = n - i < AT_ONCE ? (size_t)(n - i) : AT_ONCE;
        store_u32s(bytes, (const uint32_t *)(value + i), count);
        take(to, bytes, 4 * count);
    }
}

static void ports_pieces(const mica_circuit *c, const mica_port *port, uint32_t n, int32_t *const *value,
                         uint8_t *const *digest, uint32_t batch, statement_take *take, void *to) {
    for (uint32_t i = 0; i < n; i++) {
        if (port[i].visibility == MICA_COMMITTED)
            take(to, digest[i], (size_t)batch * MICA_DIGEST_BYTES);
        else if (port[i].visibility == MICA_PUBLIC)
            values_pieces(value[i], mica_port_cells(c, &port[i]) * batch, take, to);
    }
}

void statement_pieces(const mica_statement *s, const mica_circuit *c, statement_take *take, void *to) {
    uint8_t head[FIXED_BYTES];
    memcpy(head, MICA_PROOF_MAGIC, 8); /* no text */ // NOLINT(bugprone-not-null-terminated-result)
    store_u32(head + 8, MICA_PROOF_VERSION);
    memcpy(head + 12, s->vk_digest, MICA_DIGEST_BYTES);
    store_u32(head + 44, s->batch);
    store_u32(head + 48, s->nonce_size);
    take(to, head, sizeof head);
    take(to, s->nonce, s->nonce_size);
    ports_pieces(c, c->input, c->n_inputs, s->input, s->input_digest, s->batch, take, to);
    ports_pieces(c, c->output, c->n_outputs, s->output, s->output_digest, s->batch, take, to);
}

static void append(void *to, const void *bytes, size_t size) {
    uint8_t **out = to;
    if (size)
        memcpy(*out, bytes, size);
    *out += size;
}

void mica_statement_write(const mica_statement *s, const mica_circuit *c, uint8_t *out) {
    statement_pieces(s, c, append, &out);
}

static const uint8_t *load_ports(const uint8_t *in, const mica_circuit *c, const mica_port *port, uint32_t n,
                                 int32_t **value, uint8_t **digest, uint32_t batch) {
    for (uint32_t i = 0; i < n; i++) {
        const size_t bytes = (size_t)(shown_bytes(c, &port[i]) * batch);
        if (port[i].visibility == MICA_COMMITTED)
            memcpy(digest[i], in, bytes);
        if (port[i].visibility == MICA_PUBLIC)
            load_u32s((uint32_t *)value[i], in, bytes / 4);
        in += bytes;
    }
    return in;
}

bool mica_statement_read(mica_statement *s, const mica_circuit *c, const uint8_t *bytes, size_t size,
                         size_t *used, mica_status *st, mica_verdict *verdict) {
    memset(s, 0, sizeof *s);
    byte_reader r = {bytes, size, false};
    uint8_t magic[8], digest[MICA_DIGEST_BYTES], nonce[MICA_MAX_NONCE_BYTES] = {0};
    read_bytes(&r, magic, sizeof magic);
    if (r.failed || memcmp(magic, MICA_PROOF_MAGIC, 8) != 0)
        return mica_fail(st, MICA_ERR_FORMAT, "this is not a proof of Mica (foreign magic)");
    const uint32_t version = read_u32(&r);
    if (r.failed || version != MICA_PROOF_VERSION)
        return mica_fail(st, MICA_ERR_FORMAT, "a proof of format version %u; this program reads version %u",
                         version, MICA_PROOF_VERSION);
    read_bytes(&r, digest, sizeof digest);
    const uint32_t batch = read_u32(&r);
    const uint32_t nonce_size = read_u32(&r);
    if (r.failed)
        return mica_reject(verdict, MICA_REJECT_MALFORMED, UINT32_MAX, UINT32_MAX,
                           "the statement is truncated");
    if (batch < 1 || batch > c->max_batch)
        return mica_reject(verdict, MICA_REJECT_STATEMENT, UINT32_MAX, UINT32_MAX,
                           "a batch of %u; the parameters allow 1 to %u", batch, c->max_batch);
    if (nonce_size > MICA_MAX_NONCE_BYTES)
        return mica_reject(verdict, MICA_REJECT_STATEMENT, UINT32_MAX, UINT32_MAX,
                           "a nonce of %u bytes; at most %d", nonce_size, MICA_MAX_NONCE_BYTES);
    read_bytes(&r, nonce, nonce_size);
    /* The values are allocated only once the file is known to hold them. */
    if (r.failed || r.left / batch < item_bytes(c))
        return mica_reject(verdict, MICA_REJECT_MALFORMED, UINT32_MAX, UINT32_MAX,
                           "the public values or digests are truncated");
    if (!statement_create(s, c, batch, false, st))
        return false;
    memcpy(s->vk_digest, digest, sizeof digest);
    memcpy(s->nonce, nonce, sizeof nonce);
    s->nonce_size = nonce_size;
    const uint8_t *at = load_ports(r.at, c, c->input, c->n_inputs, s->input, s->input_digest, batch);
    at = load_ports(at, c, c->output, c->n_outputs, s->output, s->output_digest, batch);
    *used = (size_t)(at - bytes);
    return true;
}

/* --- user's values --- */

/* Exact: a power of two times a 31-bit integer, exponents within a double's range (circuit_validate). */
static double port_scale(const mica_port *p) {
    double s = p->mantissa;
    for (int e = p->exponent; e > 0; e--)
        s *= 2;
    for (int e = p->exponent; e < 0; e++)
        s *= 0.5;
    return s;
}

/* Strides of the user's axes (slowest first) in the tensor's row-major valid cells. */
static void port_strides(const mica_tensor *x, const mica_port *p, uint64_t *dim, uint64_t *stride) {
    uint64_t natural[MICA_MAX_RANK] = {0}, step = 1;
    for (unsigned i = x->rank; i-- > 0; step *= x->dim[i])
        natural[i] = step;
    for (unsigned i = 0; i < x->rank; i++) {
        dim[i] = x->dim[p->axis_order[i]];
        stride[i] = natural[p->axis_order[i]];
    }
}

/* Cell of the user's value `index`, mixed radix over dim. */
static uint64_t port_cell(uint64_t index, unsigned rank, const uint64_t *dim, const uint64_t *stride) {
    uint64_t cell = 0;
    for (unsigned i = rank; i-- > 0; index /= dim[i])
        cell += index % dim[i] * stride[i];
    return cell;
}

bool mica_port_quantise(const mica_circuit *c, const mica_port *p, const double *values, int32_t *cells,
                        uint64_t *saturated, mica_status *st) {
    const mica_tensor *x = &c->tensor[p->tensor];
    const double scale = port_scale(p);
    const uint64_t n = mica_port_cells(c, p);
    uint64_t dim[MICA_MAX_RANK], stride[MICA_MAX_RANK], outside = 0;
    port_strides(x, p, dim, stride);
    for (uint64_t i = 0; i < n; i++) {
        const double q = values[i] / scale;
        const bool inside = q < (double)x->hi + 0.5 && q > (double)x->lo - 0.5;
        if (p->exact && !inside)
            return mica_fail(st, MICA_ERR_RANGE, "'%s': value %llu is %g, but an index is in [%d, %d]",
                             p->name, (unsigned long long)i, values[i], x->lo, x->hi);
        if (q != q)
            return mica_fail(st, MICA_ERR_RANGE, "input '%s': value %llu is not a number", p->name,
                             (unsigned long long)i);
        int32_t y;
        if (q >= (double)x->hi + 0.5) {
            y = x->hi;
            outside++;
        } else if (q <= (double)x->lo - 0.5) {
            y = x->lo;
            outside++;
        } else { /* |q| < 2^31: the conversion truncates towards zero */
            const int64_t rounded = q >= 0 ? (int64_t)(q + 0.5) : -(int64_t)(0.5 - q);
            y = rounded > x->hi ? x->hi : rounded < x->lo ? x->lo : (int32_t)rounded;
        }
        cells[port_cell(i, x->rank, dim, stride)] = y;
    }
    if (saturated)
        *saturated += outside;
    return true;
}

void mica_port_dequantise(const mica_circuit *c, const mica_port *p, const int32_t *cells, double *values) {
    const mica_tensor *x = &c->tensor[p->tensor];
    const double scale = port_scale(p);
    const uint64_t n = mica_port_cells(c, p);
    uint64_t dim[MICA_MAX_RANK], stride[MICA_MAX_RANK];
    port_strides(x, p, dim, stride);
    for (uint64_t i = 0; i < n; i++)
        values[i] = scale * cells[port_cell(i, x->rank, dim, stride)];
}
