#include "mica/vk.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "hash/blake2s.h"

#define VK_KEY "mica vk v1"

static void vk_digest(mica_vk *vk, const uint8_t *bytes, size_t size) {
    blake2s h;
    blake2s_init(&h, VK_KEY);
    blake2s_update(&h, bytes, size);
    blake2s_final(&h, vk->digest);
}

bool mica_vk_write(mica_vk *vk, uint8_t **bytes, size_t *size, mica_status *st) {
    uint8_t *circuit;
    size_t circuit_size;
    if (!mica_circuit_write(&vk->circuit, &circuit, &circuit_size, st))
        return false;
    byte_writer w = {0};
    write_bytes(&w, MICA_VK_MAGIC, 8);
    write_u32(&w, MICA_VK_VERSION);
    write_u32(&w, vk->security_bits);
    write_u8(&w, vk->weight_row_bits);
    write_u8(&w, vk->weight_rate_bits);
    write_bytes(&w, vk->weight_root, sizeof vk->weight_root);
    write_bytes(&w, vk->model_id, sizeof vk->model_id);
    write_bytes(&w, vk->compiler_version, sizeof vk->compiler_version);
    write_u32(&w, (uint32_t)vk->record.size); /* <= MICA_RECORD_MAX_BYTES */
    write_bytes(&w, vk->record.text, vk->record.size);
    write_bytes(&w, circuit, circuit_size);
    free(circuit);
    if (w.failed) {
        free(w.data);
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for verifier parameters");
    }
    vk_digest(vk, w.data, w.size);
    *bytes = w.data;
    *size = w.size;
    return true;
}

static bool read_record(mica_vk *vk, byte_reader *r, mica_status *st) {
    const uint32_t size = read_u32(r);
    if (r->failed || size > r->left)
        return mica_fail(st, MICA_ERR_FORMAT, "the verifier parameters are truncated");
    if (!mica_record_read(&vk->record, r->at, size, st))
        return false;
    r->at += size;
    r->left -= size;
    return true;
}

bool mica_vk_read(mica_vk *vk, const uint8_t *bytes, size_t size, mica_status *st) {
    memset(vk, 0, sizeof *vk);
    byte_reader r = {bytes, size, false};
    uint8_t magic[8];
    read_bytes(&r, magic, sizeof magic);
    if (r.failed || memcmp(magic, MICA_VK_MAGIC, 8) != 0)
        return mica_fail(st, MICA_ERR_FORMAT, "these are not verifier parameters of Mica (foreign magic)");
    const uint32_t version = read_u32(&r);
    if (r.failed || version != MICA_VK_VERSION)
        return mica_fail(st, MICA_ERR_FORMAT,
                         "verifier parameters of format version %u; this program reads version %u", version,
                         MICA_VK_VERSION);
    vk->security_bits = read_u32(&r);
    vk->weight_row_bits = read_u8(&r);
    vk->weight_rate_bits = read_u8(&r);
    read_bytes(&r, vk->weight_root, sizeof vk->weight_root);
    read_bytes(&r, vk->model_id, sizeof vk->model_id);
    read_bytes(&r, vk->compiler_version, sizeof vk->compiler_version);
    if (r.failed || !text_field_valid(vk->model_id, sizeof vk->model_id) ||
        !text_field_valid(vk->compiler_version, sizeof vk->compiler_version) || vk->security_bits < 1 ||
        vk->security_bits > 120)
        return mica_fail(st, MICA_ERR_FORMAT,
                         "the verifier parameters are truncated or have a field out of range");
    if (!read_record(vk, &r, st))
        return false;
    if (!mica_circuit_read(&vk->circuit, r.at, r.left, st)) {
        mica_record_free(&vk->record);
        return false;
    }
    if (!mica_circuit_validate(&vk->circuit, st)) {
        mica_vk_free(vk);
        return false;
    }
    vk_digest(vk, bytes, size);
    return true;
}

void mica_vk_free(mica_vk *vk) {
    mica_record_free(&vk->record);
    mica_circuit_free(&vk->circuit);
    memset(vk, 0, sizeof *vk);
}
