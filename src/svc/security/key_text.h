/* svc/security/key_text.h - the written form of a key and its hash; see keys.h for the format. */
#pragma once

#include "svc/security/keys.h"

#define KEY_HASH_LEN 64 /* hex of HMAC-SHA-256 */

/* A fresh key. */
void key_text_make(char ret_text[KEY_TEXT_LEN + 1]);
/* False when text is no key: wrong length or alphabet, or the id does not belong to the secret. */
PX_MUST_USE bool key_text_parse(struct px_str text, struct px_str *ret_id);
/* How many were made by this thread, of how many bytes: what a wrong key costs is a promise, and tested. */
extern _Thread_local uint64_t key_text_hashes, key_text_bytes;
/* Of the key, and of what it is bound to besides: its restriction; empty: nothing. Faults: PX_F_OOM. */
PX_MUST_USE int key_text_hash(struct px_str pepper, struct px_str text, struct px_str bound,
                              char ret_hex[KEY_HASH_LEN + 1]);
