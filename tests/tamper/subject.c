#include "tamper/subject.h"

#define MICA_AUDIT
#include "hash/channel.c"

#include <stdio.h>
#include <stdlib.h>

#define DIGEST 12 /* offset of the digest of the parameters */

static proof *listening; /* takes the items of the proof that is verified */

static void note(const mica_channel *ch, size_t at, size_t size, unsigned work) {
    proof *p = listening;
    if (!p || size == 0)
        return;
    at += p->head;
    if (work) { /* the item that was noted last */
        p->item[p->n_items - 1].work = work;
        memcpy(p->item[p->n_items - 1].state, ch->transcript.state, sizeof p->item->state);
        return;
    }
    if ((p->n_items & (p->n_items + 1)) == 0) { /* 0, 1, 3, 7, ... */
        item *more = realloc(p->item, (2 * p->n_items + 1) * sizeof *more);
        if (!more)
            abort();
        p->item = more;
    }
    p->item[p->n_items++] = (item){.at = at, .size = size};
}

/* The verdict, MICA_VERDICT_UNSET if the file is no proof at all. */
static mica_verdict_code judge(const mica_vk *vk, const uint8_t *file, size_t size, size_t *head) {
    const mica_verify_options options = {.min_security_bits = vk->security_bits};
    mica_status st = {0};
    mica_verdict v = {0};
    mica_statement s;
    if (!mica_statement_read(&s, &vk->circuit, file, size, head, &st, &v))
        return v.code;
    const bool ok = mica_verify(vk, &s, file + *head, size - *head, &options, &v, &st);
    mica_statement_free(&s, &vk->circuit);
    if (ok != (v.code == MICA_ACCEPT) || (st.code != MICA_OK && ok))
        abort(); /* two answers */
    return v.code;
}

static uint8_t *read_whole(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = NULL;
    *size = 0;
    if (f && fseek(f, 0, SEEK_END) == 0) {
        const long n = ftell(f);
        bytes = n > 0 ? malloc((size_t)n) : NULL;
        rewind(f);
        if (bytes && fread(bytes, 1, (size_t)n, f) == (size_t)n)
            *size = (size_t)n;
    }
    if (f)
        (void)fclose(f);
    if (*size == 0)
        (void)fprintf(stderr, "tamper: %s cannot be read\n", path);
    return bytes;
}

static bool load_proof(const mica_vk *vk, proof *p, const char *path) {
    mica_status st = {0};
    mica_verdict v = {0};
    mica_statement s;
    p->file = read_whole(path, &p->size);
    if (p->size == 0)
        return false;
    if (mica_statement_read(&s, &vk->circuit, p->file, p->size, &p->head, &st, &v)) {
        mica_statement_free(&s, &vk->circuit);
        size_t head;
        listening = p;
        channel_audit = note;
        v.code = judge(vk, p->file, p->size, &head);
        listening = NULL;
    }
    if (v.code != MICA_ACCEPT)
        (void)fprintf(stderr, "tamper: %s is not accepted: %s\n", path, mica_verdict_name(v.code));
    return v.code == MICA_ACCEPT;
}

bool subject_load(subject *s, const char *vk_path, const char *const *proof_path, unsigned n_proofs) {
    mica_status st = {0};
    s->vk_bytes = read_whole(vk_path, &s->vk_size);
    if (s->vk_size == 0)
        return false;
    if (!mica_vk_read(&s->vk, s->vk_bytes, s->vk_size, &st)) {
        (void)fprintf(stderr, "tamper: %s: %s\n", vk_path, st.message);
        return false;
    }
    s->n_others = n_proofs - 1;
    for (unsigned i = 0; i < n_proofs; i++)
        if (!load_proof(&s->vk, i ? &s->other[i - 1] : &s->own, proof_path[i]))
            return false;
    return true;
}

static void proof_free(proof *p) {
    free(p->file);
    free(p->item);
}

void subject_free(subject *s) {
    proof_free(&s->own);
    for (unsigned i = 0; i < s->n_others; i++)
        proof_free(&s->other[i]);
    mica_vk_free(&s->vk);
    free(s->vk_bytes);
}

/* splitmix64 */
uint64_t subject_random(subject *s) {
    uint64_t x = s->random += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static bool is_proof(const proof *p, const uint8_t *file, size_t size) {
    return size == p->size && memcmp(file, p->file, size) == 0;
}

static bool is_known(const subject *s, const uint8_t *file, size_t size) {
    bool known = is_proof(&s->own, file, size);
    for (unsigned i = 0; i < s->n_others; i++)
        known |= is_proof(&s->other[i], file, size);
    return known;
}

static void count(tally *t, mica_verdict_code code) {
    t->tried++;
    if (code == MICA_ACCEPT)
        t->accepted++;
    else if (code == MICA_VERDICT_UNSET)
        t->unreadable++;
    else
        t->rejected[code]++;
}

static void try_with(subject *s, tally *t, const mica_vk *vk, const uint8_t *file, size_t size) {
    size_t head;
    if (s->attempts++ % s->parts != s->part)
        return;
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact)
        abort();
    memcpy(exact, file, size);
    count(t, judge(vk, exact, size, &head));
    free(exact);
}

void subject_try(subject *s, tally *t, const uint8_t *file, size_t size) {
    if (!is_known(s, file, size))
        try_with(s, t, &s->vk, file, size);
}

void subject_try_vk(subject *s, tally *t, const uint8_t *vk_bytes, size_t vk_size) {
    mica_status st = {0};
    mica_vk vk;
    if (vk_size == s->vk_size && memcmp(vk_bytes, s->vk_bytes, vk_size) == 0)
        return;
    if (s->parts > 1 && s->attempts % s->parts != s->part) { /* spares the reading */
        s->attempts++;
        return;
    }
    if (!mica_vk_read(&vk, vk_bytes, vk_size, &st)) {
        s->attempts++;
        count(t, MICA_VERDICT_UNSET);
        return;
    }
    const uint64_t attempt = s->attempts;
    uint8_t own[MICA_DIGEST_BYTES];
    try_with(s, t, &vk, s->own.file, s->own.size);
    memcpy(own, s->own.file + DIGEST, sizeof own);
    memcpy(s->own.file + DIGEST, vk.digest, sizeof own);
    s->attempts = attempt; /* one attempt of two proofs */
    try_with(s, t, &vk, s->own.file, s->own.size);
    memcpy(s->own.file + DIGEST, own, sizeof own);
    mica_vk_free(&vk);
}
