/* Canonical bytes of a circuit: every field in the order of mica/circuit.h, integers as 32-bit little-endian
 * words, small enumerations and counts as bytes, arrays preceded by their lengths (docs/formats.md,
 * "Circuit"). Reading and writing are one description: each codec_* function serves both directions. */
#include "mica/circuit.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

typedef struct codec {
    byte_reader *r; /* exactly one of r, w is set */
    byte_writer *w;
    bool bad; /* a field is out of its type's range */
} codec;

static void codec_u32(codec *k, uint32_t *x) {
    if (k->r)
        *x = read_u32(k->r);
    else
        write_u32(k->w, *x);
}

static void codec_i32(codec *k, int32_t *x) {
    if (k->r)
        *x = read_i32(k->r);
    else
        write_i32(k->w, *x);
}

static void codec_u8(codec *k, uint8_t *x, unsigned max) {
    if (k->r) {
        *x = read_u8(k->r);
        if (*x > max) {
            k->bad = true;
            *x = 0;
        }
    } else {
        write_u8(k->w, *x);
    }
}

static void codec_bool(codec *k, bool *x) {
    uint8_t b = *x;
    codec_u8(k, &b, 1);
    *x = b != 0;
}

static void codec_text(codec *k, char *text, size_t size) {
    if (k->w) {
        write_bytes(k->w, text, size);
        return;
    }
    read_bytes(k->r, text, size);
    k->bad |= !text_field_valid(text, size);
    text[size - 1] = 0;
}

static void codec_view(codec *k, mica_view *v, unsigned rank) {
    for (unsigned i = 0; i < rank; i++)
        codec_i32(k, &v->axis[i]);
}

static void codec_tensor(codec *k, mica_tensor *t) {
    uint8_t kind = (uint8_t)t->kind;
    codec_u8(k, &kind, MICA_TENSOR_PLACEMENT);
    t->kind = (mica_tensor_kind)kind;
    codec_bool(k, &t->batched);
    codec_u8(k, &t->rank, MICA_MAX_RANK);
    for (unsigned i = 0; i < t->rank; i++)
        codec_u32(k, &t->dim[i]);
    codec_i32(k, &t->lo);
    codec_i32(k, &t->hi);
    codec_u32(k, &t->layer);
    codec_u32(k, &t->def);
}

static void codec_linear(codec *k, mica_linear *l) {
    codec_u8(k, &l->shift, MICA_MAX_BITS);
    codec_u32(k, &l->first_term);
    codec_u32(k, &l->n_terms);
    codec_u32(k, &l->first_box);
    codec_u32(k, &l->n_boxes);
}

static void codec_term(codec *k, mica_term *t) {
    codec_u32(k, &t->tensor);
    codec_i32(k, &t->coef);
    codec_view(k, &t->view, MICA_MAX_RANK);
}

static void codec_box(codec *k, mica_box *b) {
    codec_i32(k, &b->coef);
    for (unsigned i = 0; i < MICA_MAX_RANK; i++)
        codec_u32(k, &b->lo[i]);
    for (unsigned i = 0; i < MICA_MAX_RANK; i++)
        codec_u32(k, &b->hi[i]);
}

static void codec_contract(codec *k, mica_contract *x) {
    codec_u8(k, &x->n_labels, MICA_MAX_LABELS);
    for (unsigned i = 0; i < x->n_labels; i++)
        codec_u32(k, &x->label_dim[i]);
    for (unsigned i = 0; i < MICA_MAX_RANK; i++)
        codec_u8(k, &x->out_label[i], MICA_MAX_LABELS - 1);
    codec_u32(k, &x->a);
    codec_u32(k, &x->b);
    codec_view(k, &x->a_view, MICA_MAX_RANK);
    codec_view(k, &x->b_view, MICA_MAX_RANK);
}

static void codec_placement(codec *k, mica_placement *p) {
    codec_u32(k, &p->src);
    codec_u8(k, &p->n_factors, MICA_MAX_RANK);
    for (unsigned i = 0; i < p->n_factors; i++) {
        mica_factor *f = &p->factor[i];
        codec_u8(k, &f->n_out, MICA_MAX_RANK);
        codec_u8(k, &f->n_src, MICA_MAX_RANK);
        for (unsigned j = 0; j < f->n_out; j++) {
            codec_u8(k, &f->out_axis[j], MICA_MAX_RANK - 1);
            codec_i32(k, &f->out_stride[j]);
        }
        for (unsigned j = 0; j < f->n_src; j++)
            codec_u8(k, &f->src_axis[j], MICA_MAX_RANK - 1);
        codec_i32(k, &f->offset);
        codec_u32(k, &f->norm);
        codec_u8(k, &f->count_axis, MICA_MAX_RANK - 1);
        codec_u32(k, &f->first_index);
        codec_u32(k, &f->n_indices);
    }
}

static void codec_dyadic(codec *k, mica_dyadic *d) {
    codec_i32(k, &d->mantissa);
    codec_i32(k, &d->exponent);
}

static void codec_lookup(codec *k, mica_lookup *l) {
    codec_u32(k, &l->table);
    codec_u8(k, &l->n_entries, MICA_MAX_ENTRIES);
    for (unsigned i = 0; i < l->n_entries; i++)
        codec_u32(k, &l->entry[i]);
    codec_u32(k, &l->layer);
}

static void codec_table(codec *k, mica_table *t) {
    uint8_t kind = (uint8_t)t->def.kind;
    codec_u8(k, &kind, MICA_TABLE_KINDS - 1);
    t->def.kind = (mica_table_kind)kind;
    codec_u8(k, &t->def.bits, MICA_MAX_TABLE_BITS);
    codec_i32(k, &t->def.lo_key);
    codec_dyadic(k, &t->def.in_scale);
    codec_dyadic(k, &t->def.out_scale);
    codec_i32(k, &t->def.lo_value);
    codec_i32(k, &t->def.hi_value);
    codec_dyadic(k, &t->def.param[0]);
    codec_dyadic(k, &t->def.param[1]);
    codec_u32(k, &t->multiplicity);
}

static void codec_port(codec *k, mica_port *p) {
    codec_text(k, p->name, sizeof p->name);
    codec_u32(k, &p->tensor);
    codec_i32(k, &p->mantissa);
    codec_i32(k, &p->exponent);
    codec_u8(k, &p->onnx_rank, MICA_MAX_RANK);
    for (unsigned i = 0; i < p->onnx_rank; i++)
        codec_u32(k, &p->onnx_dim[i]);
    for (unsigned i = 0; i < MICA_MAX_RANK; i++)
        codec_u8(k, &p->axis_order[i], MICA_MAX_RANK - 1);
    codec_bool(k, &p->onnx_batched);
    uint8_t visibility = (uint8_t)p->visibility;
    codec_u8(k, &visibility, MICA_PRIVATE);
    p->visibility = (mica_visibility)visibility;
    codec_bool(k, &p->exact);
}

static void codec_layer(codec *k, mica_layer *l) {
    codec_text(k, l->name, sizeof l->name);
    codec_text(k, l->op, sizeof l->op);
}

/* One array: its length, then its elements. When reading, the length is bounded before anything is allocated,
 * by `most` and by the bytes left, of which every element takes at least min_bytes. A definition belongs to a
 * tensor of its own, so there are at most as many as tensors: a placement's structure is a hundred times its
 * fewest bytes. */
#define CODEC_ARRAY(k, count, most, array, element, min_bytes)                                               \
    do {                                                                                                     \
        codec_u32(k, &(count));                                                                              \
        if ((k)->r) {                                                                                        \
            if ((k)->r->failed || (count) > (most) || (count) > (k)->r->left / (min_bytes)) {                \
                (count) = 0;                                                                                 \
                (k)->bad = true;                                                                             \
            } else if (!((array) = calloc((count) + 1u, sizeof *(array)))) {                                 \
                (count) = 0;                                                                                 \
                return mica_fail(st, MICA_ERR_MEMORY, "out of memory for a circuit");                        \
            }                                                                                                \
        }                                                                                                    \
        for (uint32_t i_ = 0; i_ < (count); i_++)                                                            \
            element(k, &(array)[i_]);                                                                        \
    } while (0)

static bool codec_circuit(codec *k, mica_circuit *c, mica_status *st) {
    codec_u32(k, &c->max_batch);
    CODEC_ARRAY(k, c->n_layers, UINT32_MAX, c->layer, codec_layer, MICA_NAME_BYTES + 32);
    CODEC_ARRAY(k, c->n_tensors, UINT32_MAX, c->tensor, codec_tensor, 19);
    CODEC_ARRAY(k, c->n_linear, c->n_tensors, c->linear, codec_linear, 17);
    CODEC_ARRAY(k, c->n_terms, UINT32_MAX, c->term, codec_term, 8 + 4 * MICA_MAX_RANK);
    CODEC_ARRAY(k, c->n_boxes, UINT32_MAX, c->box, codec_box, 4 + 8 * MICA_MAX_RANK);
    CODEC_ARRAY(k, c->n_contract, c->n_tensors, c->contract, codec_contract, 9 + 9 * MICA_MAX_RANK);
    CODEC_ARRAY(k, c->n_placement, c->n_tensors, c->placement, codec_placement, 5);
    CODEC_ARRAY(k, c->n_indices, UINT32_MAX, c->index, codec_u32, 4);
    CODEC_ARRAY(k, c->n_lookups, UINT32_MAX, c->lookup, codec_lookup, 9);
    CODEC_ARRAY(k, c->n_tables, UINT32_MAX, c->table, codec_table, 50);
    CODEC_ARRAY(k, c->n_inputs, UINT32_MAX, c->input, codec_port, MICA_NAME_BYTES + 16 + MICA_MAX_RANK);
    CODEC_ARRAY(k, c->n_outputs, UINT32_MAX, c->output, codec_port, MICA_NAME_BYTES + 16 + MICA_MAX_RANK);
    return true;
}

bool mica_circuit_write(const mica_circuit *c, uint8_t **bytes, size_t *size, mica_status *st) {
    byte_writer w = {0};
    codec k = {.w = &w};
    mica_circuit copy = *c; /* codecs take mutable fields; writing changes none */
    if (!codec_circuit(&k, &copy, st) || w.failed) {
        free(w.data);
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for a circuit");
    }
    *bytes = w.data;
    *size = w.size;
    return true;
}

bool mica_circuit_read(mica_circuit *c, const uint8_t *bytes, size_t size, mica_status *st) {
    byte_reader r = {bytes, size, false};
    codec k = {.r = &r};
    memset(c, 0, sizeof *c);
    if (!codec_circuit(&k, c, st) || r.failed || k.bad || r.left != 0) {
        mica_circuit_free(c);
        return mica_fail(st, MICA_ERR_FORMAT,
                         "the circuit is truncated, has trailing bytes or a field out of range");
    }
    return true;
}
