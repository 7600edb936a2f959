#include "tamper/attacks.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "hash/transcript.h"
#include "tamper/attack_items.h"

#define P            INT64_C(0x7fffffff)
#define NONCE_SIZE   48 /* offset of the nonce's length, and then the nonce */
#define VALUES       52 /* offset of the values without a nonce */
#define OTHER_NONCES 3

static uint8_t *copy_of(const uint8_t *bytes, size_t size, size_t more) {
    uint8_t *copy = malloc(size + more);
    if (!copy)
        abort();
    memcpy(copy, bytes, size);
    return copy;
}

/* The i-th of n places out of `all`: all of them, or one at random out of each n-th. */
static size_t place(subject *s, size_t i, size_t n, size_t all) {
    if (n >= all)
        return i;
    const size_t first = (size_t)((uint64_t)i * all / n), end = (size_t)((uint64_t)(i + 1) * all / n);
    return first + (size_t)(subject_random(s) % (end - first));
}

static size_t places(size_t sample, size_t all) {
    return sample && sample < all ? sample : all;
}

static uint8_t some_mask(subject *s) {
    return (uint8_t)(1 + subject_random(s) % 255);
}

/* One bit of a byte, and several. */
static void change_bytes(subject *s, tally *t, size_t sample) {
    uint8_t *file = copy_of(s->own.file, s->own.size, 0);
    const size_t n = places(sample, s->own.size);
    for (size_t i = 0; i < n; i++) {
        const size_t at = place(s, i, n, s->own.size);
        const uint8_t masks[2] = {1, some_mask(s)};
        for (unsigned j = 0; j < 2; j++) {
            file[at] ^= masks[j];
            subject_try(s, t, file, s->own.size);
            file[at] ^= masks[j];
        }
    }
    free(file);
}

/* The head byte by byte, whatever the sample: every field of the statement. */
static void change_head(subject *s, tally *t, size_t sample) {
    uint8_t *file = copy_of(s->own.file, s->own.size, 0);
    const size_t bytes =
        sample && s->own.head > VALUES ? VALUES + places(sample / 4, s->own.head - VALUES) : s->own.head;
    for (size_t i = 0; i < bytes; i++) {
        const size_t at =
            i < VALUES ? i : VALUES + place(s, i - VALUES, bytes - VALUES, s->own.head - VALUES);
        for (unsigned bit = 0; bit < 8; bit++) {
            file[at] ^= (uint8_t)(1u << bit);
            subject_try(s, t, file, s->own.size);
            file[at] ^= (uint8_t)(1u << bit);
        }
    }
    free(file);
}

/* The word at `at`, an integer of the statement or a field element, plus and minus multiples of p: the same
 * residue in other words. */
static void spell_word(subject *s, tally *t, uint8_t *file, size_t at, bool integer) {
    const uint32_t old = load_u32(file + at);
    const int64_t x = integer ? (int64_t)(int32_t)old : (int64_t)old;
    for (int64_t k = -2; k <= 2; k++) {
        const int64_t y = x + k * P;
        if (k == 0 || (integer ? y < INT32_MIN || y > INT32_MAX : y < 0 || y > UINT32_MAX))
            continue;
        store_u32(file + at, (uint32_t)y);
        subject_try(s, t, file, s->own.size);
    }
    store_u32(file + at, old);
}

/* The item as a column of elements of 31 bits, if it can be one: an element becomes p, which is 0 otherwise
 * spelled where it was 0, and the spare bits are set. */
static void spell_column(subject *s, tally *t, uint8_t *file, const item *x, size_t sample) {
    const size_t n = 8 * x->size / 31, spare = 8 * x->size - 31 * n;
    if (n == 0 || spare >= 8)
        return;
    uint8_t *column = file + x->at, *old = copy_of(column, x->size, 0);
    for (size_t bit = 31 * n; bit < 8 * x->size; bit++) {
        column[bit / 8] ^= (uint8_t)(1u << bit % 8);
        subject_try(s, t, file, s->own.size);
        column[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t i = 0, m = places(sample, n); i < m; i++) {
        const size_t element = place(s, i, m, n);
        for (size_t bit = 31 * element; bit < 31 * (element + 1); bit++)
            column[bit / 8] |= (uint8_t)(1u << bit % 8);
        subject_try(s, t, file, s->own.size);
        memcpy(column, old, x->size);
    }
    free(old);
}

/* Every integer of the statement, and what the proof consists of: words, and elements of columns. */
static void spell_otherwise(subject *s, tally *t, size_t sample) {
    uint8_t *file = copy_of(s->own.file, s->own.size, 0);
    const size_t values = VALUES + load_u32(file + NONCE_SIZE), words = (s->own.head - values) / 4;
    const size_t n = places(sample / 4, words), n_items = places(sample / 8, s->own.n_items);
    for (size_t i = 0; i < n; i++)
        spell_word(s, t, file, values + 4 * place(s, i, n, words), true);
    for (size_t i = 0; i < n_items; i++) {
        const item *x = &s->own.item[place(s, i, n_items, s->own.n_items)];
        const size_t in_item = x->size / 4, m = places(sample ? 2 : 0, in_item);
        for (size_t j = 0; j < m; j++)
            spell_word(s, t, file, x->at + 4 * place(s, j, m, in_item), false);
        spell_column(s, t, file, x, sample ? 2 : 0);
    }
    free(file);
}

/* Every length, and those at which an item ends. */
static void truncate(subject *s, tally *t, size_t sample) {
    const size_t n = places(sample, s->own.size), ends = places(sample, s->own.n_items);
    for (size_t i = 0; i < n; i++)
        subject_try(s, t, s->own.file, place(s, i, n, s->own.size));
    for (size_t i = 0; i < ends && sample; i++)
        subject_try(s, t, s->own.file, s->own.item[place(s, i, ends, s->own.n_items)].at);
}

static void extend(subject *s, tally *t, size_t sample) {
    static const size_t more[] = {1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 33, 64, 128, 1000, 4096};
    uint8_t *file = copy_of(s->own.file, s->own.size, s->own.size + 4096);
    (void)sample;
    for (unsigned i = 0; i < sizeof more / sizeof *more; i++) {
        uint8_t *end = file + s->own.size;
        memset(end, 0, more[i]);
        subject_try(s, t, file, s->own.size + more[i]);
        memset(end, 0xff, more[i]);
        subject_try(s, t, file, s->own.size + more[i]);
        if (more[i] <= s->own.size) {
            memcpy(end, end - more[i], more[i]);
            subject_try(s, t, file, s->own.size + more[i]);
        }
        for (size_t j = 0; j < more[i]; j++)
            end[j] = (uint8_t)subject_random(s);
        subject_try(s, t, file, s->own.size + more[i]);
    }
    memcpy(file + s->own.size, s->own.file, s->own.size);
    subject_try(s, t, file, 2 * s->own.size);
    free(file);
}

/* Nonces of proofs of work that meet their difficulty as well as the prover's: all that follows was made for
 * the first one, so that work alone must not carry the proof. */
static void change_work(subject *s, tally *t, size_t sample) {
    uint8_t *file = copy_of(s->own.file, s->own.size, 0);
    (void)sample;
    for (size_t i = 0; i < s->own.n_items; i++) {
        const item *x = &s->own.item[i];
        if (x->work == 0)
            continue;
        transcript now;
        memcpy(now.state, x->state, sizeof now.state);
        const uint64_t first = load_u64(file + x->at);
        uint64_t nonce = first;
        for (unsigned found = 0; found < OTHER_NONCES; found++) {
            do
                nonce++;
            while (!transcript_pow_holds(&now, x->work, nonce));
            store_u64(file + x->at, nonce);
            subject_try(s, t, file, s->own.size);
        }
        store_u64(file + x->at, first);
    }
    free(file);
}

/* The nonce of the verifier longer by a byte, or shorter. */
static void change_nonce_length(subject *s, tally *t) {
    uint8_t *file = copy_of(s->own.file, s->own.size, 1);
    const uint32_t n = load_u32(file + NONCE_SIZE);
    const size_t end = VALUES + n;
    if (n < MICA_MAX_NONCE_BYTES) {
        store_u32(file + NONCE_SIZE, n + 1);
        memmove(file + end + 1, file + end, s->own.size - end);
        file[end] = 0;
        subject_try(s, t, file, s->own.size + 1);
    }
    memcpy(file, s->own.file, s->own.size);
    if (n > 0) {
        store_u32(file + NONCE_SIZE, n - 1);
        memmove(file + end - 1, file + end, s->own.size - end);
        subject_try(s, t, file, s->own.size - 1);
    }
    free(file);
}

static void copy_items(const mica_circuit *c, const mica_port *port, uint32_t n, uint32_t from, uint32_t to,
                       int32_t *const *value, uint8_t *const *digest, int32_t *const *new_value,
                       uint8_t *const *new_digest) {
    for (uint32_t i = 0; i < n; i++) {
        const size_t cells = (size_t)mica_port_cells(c, &port[i]);
        for (uint32_t b = 0; b < to; b++) {
            if (port[i].visibility == MICA_PUBLIC)
                memcpy(new_value[i] + b * cells, value[i] + b % from * cells, cells * sizeof(int32_t));
            if (port[i].visibility == MICA_COMMITTED)
                memcpy(new_digest[i] + (size_t)b * MICA_DIGEST_BYTES,
                       digest[i] + (size_t)(b % from) * MICA_DIGEST_BYTES, MICA_DIGEST_BYTES);
        }
    }
}

/* Statements of another batch size made of the same items. */
static void change_batch(subject *s, tally *t, size_t sample) {
    const mica_circuit *c = &s->vk.circuit;
    mica_status st = {0};
    mica_verdict v = {0};
    mica_statement old, now;
    size_t used;
    (void)sample;
    change_nonce_length(s, t);
    if (!mica_statement_read(&old, c, s->own.file, s->own.size, &used, &st, &v))
        abort();
    for (uint32_t batch = 1; batch <= c->max_batch && batch <= 2 * old.batch; batch++) {
        if (batch == old.batch || !mica_statement_create(&now, c, batch, &st))
            continue;
        memcpy(now.vk_digest, old.vk_digest, sizeof now.vk_digest);
        now.nonce_size = old.nonce_size;
        memcpy(now.nonce, old.nonce, sizeof now.nonce);
        copy_items(c, c->input, c->n_inputs, old.batch, batch, old.input, old.input_digest, now.input,
                   now.input_digest);
        copy_items(c, c->output, c->n_outputs, old.batch, batch, old.output, old.output_digest, now.output,
                   now.output_digest);
        const size_t head = mica_statement_bytes(c, batch, now.nonce_size), rest = s->own.size - s->own.head;
        uint8_t *file = malloc(head + rest);
        if (!file)
            abort();
        mica_statement_write(&now, c, file);
        memcpy(file + head, s->own.file + s->own.head, rest);
        subject_try(s, t, file, head + rest);
        free(file);
        mica_statement_free(&now, c);
    }
    mica_statement_free(&old, c);
}

/* Every bit of every byte, or two changes to a byte of a sample: most parameters that come of it are refused
 * when they are read, which costs little. */
static void change_parameters(subject *s, tally *t, size_t sample) {
    uint8_t *vk = copy_of(s->vk_bytes, s->vk_size, 1);
    const size_t n = places(sample, s->vk_size);
    const unsigned bits = sample ? 1 : 8;
    for (size_t i = 0; i < n; i++) {
        const size_t at = place(s, i, n, s->vk_size);
        for (unsigned j = 0; j <= bits; j++) {
            const uint8_t mask = j < bits ? (uint8_t)(1u << j) : some_mask(s);
            vk[at] ^= mask;
            subject_try_vk(s, t, vk, s->vk_size);
            vk[at] ^= mask;
        }
    }
    vk[s->vk_size] = 0;
    subject_try_vk(s, t, vk, s->vk_size + 1);
    for (size_t i = 0; i < n; i++)
        subject_try_vk(s, t, vk, place(s, i, n, s->vk_size));
    free(vk);
}

const attack attacks[] = {
    {"bytes changed", change_bytes},
    {"statement changed", change_head},
    {"other spellings of integers", spell_otherwise},
    {"truncated", truncate},
    {"extended", extend},
    {"other nonces of the same work", change_work},
    {"other batches of the same items", change_batch},
    {"items exchanged", items_exchange},
    {"items moved", items_move},
    {"items left out or doubled", items_repeat},
    {"spliced with another proof", items_splice},
    {"parameters changed", change_parameters},
};
const unsigned n_attacks = sizeof attacks / sizeof *attacks;
