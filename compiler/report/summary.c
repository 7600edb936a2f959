#include "driver.h"

#include "accuracy/accuracy_losses.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* "12.3 MB" */
static const char *size_words(char *buffer, size_t size, double bytes) {
    static const char *const unit[] = {"B", "kB", "MB", "GB"};
    unsigned u = 0;
    while (bytes >= 1000 && u < 3) {
        bytes /= 1000;
        u++;
    }
    (void)snprintf(buffer, size, u ? "%.1f %s" : "%.0f %s", bytes, unit[u]);
    return buffer;
}

static void print_operators(const graph *g) {
    printf("operators   ");
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        uint32_t n = 0, before = 0;
        if (g->node[i].removed)
            continue;
        for (uint32_t j = 0; j < g->n_nodes; j++) {
            const bool same = !g->node[j].removed && strcmp(g->node[j].op, g->node[i].op) == 0;
            n += same;
            before += same && j < i;
        }
        if (before == 0)
            printf(" %u %s", n, g->node[i].op);
    }
    printf("\n");
}

/* The values that the integers of a port stand for; what lies outside cannot be proven. */
static void print_port(const compilation *c, const mica_port *p, const char *role, const char *remark) {
    const mica_tensor *t = &c->vk.circuit.tensor[p->tensor];
    const double scale = ldexp(p->mantissa, p->exponent);
    printf("%-12s '%s': %s, values from %.6g to %.6g%s\n", role, p->name, mica_visibility_name(p->visibility),
           t->lo * scale, t->hi * scale, remark);
}

static void print_ports(const compilation *c) {
    const mica_circuit *k = &c->vk.circuit;
    for (uint32_t i = 0; i < k->n_inputs; i++)
        print_port(c, &k->input[i], "input",
                   c->calibration.guessed ? ", a guess; what lies outside is saturated" : "");
    for (uint32_t i = 0; i < k->n_outputs; i++)
        print_port(c, &k->output[i], "output", "");
}

/* What visibility does not give. */
static void print_visibility_notes(const mica_circuit *k) {
    bool is_private = false, committed = false, output = false;
    for (uint32_t i = 0; i < k->n_inputs + k->n_outputs; i++) {
        const mica_visibility v = (i < k->n_inputs ? k->input[i] : k->output[i - k->n_inputs]).visibility;
        is_private |= v == MICA_PRIVATE;
        committed |= v == MICA_COMMITTED;
        output |= i >= k->n_inputs && v != MICA_PRIVATE;
    }
    if (is_private)
        printf("note         What is private is undisclosed, not hidden: a proof may reveal information "
               "about it.\n");
    if (committed)
        printf(
            "note         Digests bind and do not hide: who can guess the integers can check the guess.\n");
    if (!output)
        printf("note         Every output is private: a proof says that some run of the network exists, not "
               "what it "
               "gave.\n");
}

static void print_accuracy(const compilation *c) {
    const accuracy *a = &c->accuracy;
    const char *on = c->calibration.guessed ? "pseudo-random inputs, as there are no" : "calibration";
    for (uint32_t i = 0; i < a->n_outputs; i++) {
        const value_error *e = &a->output[i];
        printf("accuracy     output '%s': mean error %.4f %%, largest %.4f %% of the range [%g, %g], on the "
               "%u %s samples",
               c->graph.value[e->value].name, 100 * e->mean, 100 * e->max, e->lo, e->hi, a->n_samples, on);
        if (e->has_top1)
            printf("; same largest element in %u", e->top1_agree);
        printf("\n");
    }
    if (a->saturated)
        printf("             %llu input values were outside the calibrated range\n",
               (unsigned long long)a->saturated);
}

/* "mean error 0.1 %, about 0.2 s of proving"; errors are lower bounds where not all samples were measured. */
static void print_figures(const accuracy_figures *f, const char *after) {
    printf("mean error %s%.4f %%, about %.3g s of proving%s\n", f->complete ? "" : "at least ",
           100 * f->mean_error, f->cost.seconds, after);
}

/* What the search tried, and what each rung costs. */
static void print_search(const compilation *c) {
    const accuracy_search_report *s = &c->search;
    for (uint32_t i = 0; i < s->n; i++) {
        const accuracy_rung *r = &s->rung[i];
        char words[64];
        if (!r->is.lowered)
            continue;
        printf("%s%-54s ", i == 0 ? "bit widths   " : "             ",
               accuracy_rung_words(words, sizeof words, r));
        print_figures(&r->is, i != s->chosen ? "" : s->n_coarse ? ", refined:" : ", taken");
    }
    if (s->n_coarse) {
        char words[64];
        (void)snprintf(words, sizeof words, "%u of %u values coarser", s->n_coarse, s->n_values);
        printf("             %-54s ", words);
        print_figures(&s->taken, ", taken");
    }
    if (s->clipped)
        printf("             inner values saturate where the error on the samples is least\n");
    if (s->n && !s->met)
        printf("             the compiler's own target, a mean error of %g %% and a largest one of %g %%, is "
               "not "
               "reached\n",
               100 * ACCURACY_DEFAULT_ERROR, 100 * ACCURACY_DEFAULT_LARGEST);
}

/* What the next widths of the ladder would cost and give. */
static void print_changes(const compilation *c) {
    const accuracy_search_report *s = &c->search;
    for (uint32_t i = 0; i < s->n_changes; i++) {
        const accuracy_change *x = &s->change[i];
        const char *name = x->value == GRAPH_NO_VALUE ? "" : c->graph.value[x->value].name;
        printf("%s", i == 0 ? "finer        " : "             ");
        if (x->value == GRAPH_NO_VALUE)
            printf("all values: ");
        else
            printf("value '%s': ", name ? name : "?");
        printf("%+.3g s of proving", x->would_be.cost.seconds - s->taken.cost.seconds);
        if (x->would_be.complete)
            printf(", mean error %.4f %%%s", 100 * x->would_be.mean_error,
                   x->would_be.mean_error < s->taken.mean_error ? "" : ", no better than what is taken");
        printf("\n");
    }
}

#define LOSSES 3
/* The values at which the error grows most over what they are computed from. */
static void print_losses(const compilation *c) {
    accuracy_loss worst[LOSSES];
    const uint32_t n = accuracy_losses(&c->accuracy, &c->graph, worst, LOSSES);
    for (uint32_t i = 0; i < n; i++) {
        const char *name = c->graph.value[worst[i].at->value].name;
        printf("%svalue '%s': mean error %.4f %%, of which %.4f %% arises there\n",
               i ? "             " : "most error   ", name ? name : "?", 100 * worst[i].at->mean,
               100 * worst[i].added);
    }
}

void summary_print(const compilation *c) {
    const mica_report *r = &c->report;
    char a[32], b[32];
    printf("model        %s\n", c->request->model);
    print_operators(&c->graph);
    printf("parameters   %llu, %llu multiply-accumulates per inference\n", (unsigned long long)c->parameters,
           (unsigned long long)c->macs);
    printf(
        "circuit      %u layers of %u tensors, proven in %u steps one after another; %llu values looked up "
        "in tables of %llu rows\n",
        c->vk.circuit.n_layers, c->vk.circuit.n_tensors, r->strata, (unsigned long long)r->lookups,
        (unsigned long long)r->table_rows);
    print_ports(c);
    print_accuracy(c);
    print_search(c);
    print_losses(c);
    print_changes(c);
    printf("security     %.1f bits proven, without a conjecture: the least of\n", r->proven_bits);
    for (unsigned i = 0; i < r->n_lines; i++)
        printf("             %7.1f  %s\n", r->line[i].bits, r->line[i].what);
    if (c->vk.security_bits < MICA_DEFAULT_SECURITY_BITS)
        printf(
            "             verifiers ask for %d bits unless told otherwise: verify with --min-security %u\n",
            MICA_DEFAULT_SECURITY_BITS, c->vk.security_bits);
    printf("expected     %.2g s per proof on two cores, %s of memory, proof of %s\n", r->prove_seconds,
           size_words(a, sizeof a, (double)r->prover_memory_bytes),
           size_words(b, sizeof b, (double)r->proof_bytes_expected));
    printf(
        "note         Proofs are succinct and binding, not zero-knowledge: a proof may reveal information\n"
        "             about the weights and about intermediate values.\n");
    print_visibility_notes(&c->vk.circuit);
    (void)fflush(stdout);
}
