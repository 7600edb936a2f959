/* usage: tamper [--samples N] [--seed N] [--part K/N] MODEL.vk PROOF [OTHER_PROOF]...
 *
 * Changes a proof in memory in every way that attacks.c and attack_items.c know, and has the verifier judge
 * what comes out: all must be rejected. Other proofs under the same parameters lend their parts. Without
 * --samples every byte, length and item is tried; --part makes every N-th attempt, from the K-th on, counted
 * from 0.
 *
 * One line per kind of attack, with the reasons of the rejections; the last line is "tamper: N tried, N
 * rejected, N accepted". Exit code 0 if nothing was accepted, 1 if something was, 2 if nothing could be
 * tried. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tamper/attacks.h"

static void print_tally(const tally *t) {
    (void)printf("%-32s %8llu tried, %llu accepted;", t->name, (unsigned long long)t->tried,
                 (unsigned long long)t->accepted);
    if (t->unreadable)
        (void)printf(" unreadable %llu;", (unsigned long long)t->unreadable);
    for (unsigned i = 0; i <= MICA_REJECT_OPENING; i++) {
        if (t->rejected[i])
            (void)printf(" %s %llu;", mica_verdict_name((mica_verdict_code)i),
                         (unsigned long long)t->rejected[i]);
    }
    (void)printf("\n");
    (void)fflush(stdout);
}

static bool number(const char *text, uint64_t *value) {
    char *end;
    *value = strtoull(text, &end, 10);
    return end != text && *end == 0;
}

static bool part_of(const char *text, subject *s) {
    char *end;
    s->part = strtoull(text, &end, 10);
    return end != text && *end == '/' && number(end + 1, &s->parts) && s->part < s->parts;
}

static int attack_all(subject *s, size_t sample) {
    uint64_t tried = 0, accepted = 0;
    bool by_work = false;
    for (unsigned i = 0; i < n_attacks; i++) {
        tally t = {.name = attacks[i].name};
        attacks[i].run(s, &t, sample);
        print_tally(&t);
        tried += t.tried;
        accepted += t.accepted;
        by_work |= strstr(t.name, "nonces") && t.rejected[MICA_REJECT_POW];
    }
    (void)printf("tamper: %llu tried, %llu rejected, %llu accepted\n", (unsigned long long)tried,
                 (unsigned long long)(tried - accepted), (unsigned long long)accepted);
    if (by_work)
        (void)fprintf(stderr, "tamper: nonces that meet their difficulty were rejected for their work\n");
    return tried == 0 ? 2 : accepted || by_work;
}

int main(int argc, char **argv) {
    static subject s = {.parts = 1, .random = 1};
    uint64_t sample = 0;
    int at = 1;
    bool ok = true;
    for (; ok && at + 1 < argc && strncmp(argv[at], "--", 2) == 0; at += 2) {
        if (strcmp(argv[at], "--samples") == 0)
            ok = number(argv[at + 1], &sample) && sample >= 8;
        else if (strcmp(argv[at], "--seed") == 0)
            ok = number(argv[at + 1], &s.random);
        else
            ok = strcmp(argv[at], "--part") == 0 && part_of(argv[at + 1], &s);
    }
    const int proofs = argc - at - 1;
    if (!ok || proofs < 1 || proofs > 1 + MAX_OTHERS) {
        (void)fprintf(
            stderr, "usage: tamper [--samples N] [--seed N] [--part K/N] MODEL.vk PROOF [OTHER_PROOF]...\n");
        return 2;
    }
    if (!subject_load(&s, argv[at], (const char *const *)argv + at + 1, (unsigned)proofs))
        return 2;
    const int code = attack_all(&s, (size_t)sample);
    subject_free(&s);
    return code;
}
