/* Verifies a proof by the C library: libmica-verify and libc are all that it takes, no weights and no prover.
 * With MICA the folder in which Mica is installed (cmake --install):
 *
 *   cc -std=c17 verify.c -I"$MICA/include" -L"$MICA/lib" -lmica-verify -o verify
 *   ./verify model.vk proof.bin
 *
 * Exit code 0: accepted; 1: rejected; 2: no decision. */
#include <mica/verify.h>

#include <stdio.h>
#include <stdlib.h>

/* The whole file, or NULL; the caller frees. */
static uint8_t *read_file(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = NULL;
    long end = -1;
    if (f && fseek(f, 0, SEEK_END) == 0 && (end = ftell(f)) > 0 && fseek(f, 0, SEEK_SET) == 0)
        bytes = malloc((size_t)end);
    *size = bytes ? fread(bytes, 1, (size_t)end, f) : 0;
    if (f)
        fclose(f);
    if (!bytes)
        fprintf(stderr, "error: %s cannot be read\n", path);
    return bytes;
}

/* The integers of the first public output; a real number is mantissa * 2^exponent * integer. What a proof is
 * worth lies in its statement: compare inputs and outputs with those that the proof shall speak of. */
static void show(const mica_vk *vk, const mica_statement *s) {
    const mica_port *y = &vk->circuit.output[0];
    printf("ACCEPTED: a proof of %u inputs, model \"%s\"\n", s->batch, vk->model_id);
    for (uint64_t i = 0; s->output[0] && i < mica_port_cells(&vk->circuit, y); i++)
        printf("%s[%llu] = %d\n", y->name, (unsigned long long)i, s->output[0][i]);
}

/* The proof file is hostile, the parameters are not: get them from whom you trust, or check their certificate
 * (mica verify-params) once. */
static int verify(const mica_vk *vk, const uint8_t *file, size_t size) {
    const mica_verify_options options = {.min_security_bits = MICA_DEFAULT_SECURITY_BITS};
    mica_status st = {0};
    mica_verdict verdict = {0};
    mica_statement s;
    size_t used;
    bool accepted = false;
    if (mica_statement_read(&s, &vk->circuit, file, size, &used, &st, &verdict)) {
        accepted = mica_verify(vk, &s, file + used, size - used, &options, &verdict, &st);
        if (accepted)
            show(vk, &s);
        mica_statement_free(&s, &vk->circuit);
    }
    if (st.code != MICA_OK) /* memory, limits, another format: nothing was decided */
        fprintf(stderr, "error: %s\n", st.message);
    else if (!accepted)
        printf("REJECTED: %s: %s\n", mica_verdict_name(verdict.code), verdict.detail);
    return st.code != MICA_OK ? 2 : accepted ? 0 : 1;
}

int main(int argc, char **argv) {
    size_t vk_size = 0, size = 0;
    mica_status st = {0};
    mica_vk vk;
    int code = 2;
    uint8_t *parameters = argc == 3 ? read_file(argv[1], &vk_size) : NULL;
    uint8_t *file = parameters ? read_file(argv[2], &size) : NULL;
    if (argc != 3) {
        fprintf(stderr, "usage: verify MODEL.vk PROOF\n");
    } else if (file && mica_vk_read(&vk, parameters, vk_size, &st)) {
        code = verify(&vk, file, size);
        mica_vk_free(&vk);
    } else if (file) {
        fprintf(stderr, "error: %s: %s\n", argv[1], st.message);
    }
    free(parameters);
    free(file);
    return code;
}
