#include "tamper/attack_items.h"

#include <stdlib.h>
#include <string.h>

#include "soundness/soundness.h"

/* A file that is put together. */
typedef struct paper {
    uint8_t *at;
    size_t size;
} paper;

static paper paper_new(size_t room) {
    paper p = {malloc(room), 0};
    if (!p.at)
        abort();
    return p;
}

static void put(paper *p, const uint8_t *bytes, size_t n) {
    memcpy(p->at + p->size, bytes, n);
    p->size += n;
}

/* Bytes [from, to) of a proof. */
static void put_range(paper *p, const proof *of, size_t from, size_t to) {
    put(p, of->file + from, to - from);
}

static size_t end_of(const item *x) {
    return x->at + x->size;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Every step-th item makes about `sample` attempts. */
static size_t step_of(size_t n_items, size_t sample) {
    return sample && sample < n_items ? n_items / sample : 1;
}

/* Two ranges of bytes, a before b, exchanged; of any sizes. */
static void exchange(subject *s, tally *t, size_t a, size_t a_size, size_t b, size_t b_size) {
    paper p = paper_new(s->own.size);
    put_range(&p, &s->own, 0, a);
    put_range(&p, &s->own, b, b + b_size);
    put_range(&p, &s->own, a + a_size, b);
    put_range(&p, &s->own, a, a + a_size);
    put_range(&p, &s->own, b + b_size, s->own.size);
    subject_try(s, t, p.at, p.size);
    free(p.at);
}

static void exchange_equals(subject *s, tally *t, size_t i) {
    const item *x = &s->own.item[i];
    const size_t start = i + 1 + (size_t)(subject_random(s) % s->own.n_items);
    for (size_t k = 0; k < s->own.n_items; k++) {
        const item *y = &s->own.item[(start + k) % s->own.n_items];
        if (y->size != x->size || y == x)
            continue;
        exchange(s, t, smaller(x->at, y->at), x->size, x->at < y->at ? y->at : x->at, x->size);
        return;
    }
}

static void exchange_within(subject *s, tally *t, const item *x) {
    static const size_t unit[] = {4, 16, 32};
    for (unsigned u = 0; u < 3; u++) {
        const size_t n = x->size / unit[u];
        if (n < 2)
            continue;
        const size_t a = (size_t)(subject_random(s) % (n - 1)),
                     b = a + 1 + (size_t)(subject_random(s) % (n - 1 - a));
        exchange(s, t, x->at + a * unit[u], unit[u], x->at + b * unit[u], unit[u]);
    }
}

void items_exchange(subject *s, tally *t, size_t sample) {
    const size_t step = step_of(s->own.n_items, sample / 4);
    for (size_t i = (size_t)(subject_random(s) % step); i < s->own.n_items; i += step) {
        const item *x = &s->own.item[i];
        if (i + 1 < s->own.n_items)
            exchange(s, t, x->at, x->size, x[1].at, x[1].size);
        exchange_equals(s, t, i);
        exchange_within(s, t, x);
    }
}

/* Items i to end - 1, all of one size, from the last to the first. */
static void reverse(subject *s, tally *t, size_t i, size_t end) {
    paper p = paper_new(s->own.size);
    put_range(&p, &s->own, 0, s->own.item[i].at);
    for (size_t k = end; k-- > i;)
        put_range(&p, &s->own, s->own.item[k].at, end_of(&s->own.item[k]));
    put_range(&p, &s->own, end_of(&s->own.item[end - 1]), s->own.size);
    subject_try(s, t, p.at, p.size);
    free(p.at);
}

void items_move(subject *s, tally *t, size_t sample) {
    const size_t step = step_of(s->own.n_items, sample / 2);
    for (size_t i = (size_t)(subject_random(s) % step); i < s->own.n_items; i += step) {
        const item *x = &s->own.item[i];
        exchange(s, t, s->own.head, 0, x->at, x->size);
        exchange(s, t, x->at, x->size, s->own.size, 0);
    }
    const size_t shortened = soundness_digest_bytes(s->vk.security_bits), whole = 32; /* siblings */
    for (size_t i = 0; i < s->own.n_items; i++) {
        size_t end = i;
        const size_t size = s->own.item[i].size;
        while (end < s->own.n_items && s->own.item[end].size == size && (size == shortened || size == whole))
            end++;
        if (end > i + 1) {
            reverse(s, t, i, end);
            i = end;
        }
    }
}

void items_repeat(subject *s, tally *t, size_t sample) {
    const size_t step = step_of(s->own.n_items, sample / 2);
    for (size_t i = (size_t)(subject_random(s) % step); i < s->own.n_items; i += step) {
        const item *x = &s->own.item[i];
        paper p = paper_new(s->own.size + x->size);
        put_range(&p, &s->own, 0, x->at);
        put_range(&p, &s->own, end_of(x), s->own.size);
        subject_try(s, t, p.at, p.size);
        p.size = 0;
        put_range(&p, &s->own, 0, end_of(x));
        put_range(&p, &s->own, x->at, s->own.size);
        subject_try(s, t, p.at, p.size);
        free(p.at);
    }
}

/* `a` up to its item i, then `b` from its item i on. */
static void cross(subject *s, tally *t, const proof *a, const proof *b, size_t i) {
    paper p = paper_new(a->size + b->size);
    put_range(&p, a, 0, a->item[i].at);
    put_range(&p, b, b->item[i].at, b->size);
    subject_try(s, t, p.at, p.size);
    free(p.at);
}

static void transplant(subject *s, tally *t, const proof *from, size_t i) {
    paper p = paper_new(s->own.size + from->size);
    put_range(&p, &s->own, 0, s->own.item[i].at);
    put_range(&p, from, from->item[i].at, end_of(&from->item[i]));
    put_range(&p, &s->own, end_of(&s->own.item[i]), s->own.size);
    subject_try(s, t, p.at, p.size);
    free(p.at);
}

void items_splice(subject *s, tally *t, size_t sample) {
    for (unsigned k = 0; k < s->n_others; k++) {
        const proof *other = &s->other[k];
        const size_t n = smaller(s->own.n_items, other->n_items), step = step_of(n, sample / 3);
        for (size_t i = 0; i < n; i += 1 + (size_t)(subject_random(s) % (2 * step - 1))) {
            cross(s, t, &s->own, other, i);
            cross(s, t, other, &s->own, i);
            transplant(s, t, other, i);
        }
    }
}
