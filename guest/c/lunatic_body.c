/* Bodies of lunatic.h, in the format of guest/wire.md; lunatic.c includes it: do not compile it by
 * itself.
 *
 * What must stay true: nothing is written behind the room of a writer, and nothing read behind the
 * end of what came; what is wrong is kept in `bad`. */

lunatic_writer lunatic_write_to(void *place, size_t room) {
    lunatic_writer writer = {(uint8_t *)place, room, 0, false};
    return writer;
}

void lunatic_put_u8(lunatic_writer *writer, uint8_t value) {
    writer->bad = writer->bad || writer->length == writer->room;
    if (!writer->bad) writer->place[writer->length++] = value;
}

void lunatic_put_unsigned(lunatic_writer *writer, uint64_t value) {
    for (; value >= 0x80; value >>= 7) lunatic_put_u8(writer, (uint8_t)(value | 0x80));
    lunatic_put_u8(writer, (uint8_t)value);
}

void lunatic_put_signed(lunatic_writer *writer, int64_t value) {
    uint64_t twice = (uint64_t)value << 1;
    lunatic_put_unsigned(writer, value < 0 ? ~twice : twice);
}

void lunatic_put_bytes(lunatic_writer *writer, const void *bytes, size_t length) {
    lunatic_put_unsigned(writer, length);
    writer->bad = writer->bad || length > writer->room - writer->length;
    if (writer->bad || length == 0) return;
    memcpy(writer->place + writer->length, bytes, length);
    writer->length += length;
}

void lunatic_put_text(lunatic_writer *writer, const char *text) {
    lunatic_put_bytes(writer, text, strlen(text));
}

void lunatic_put_pid(lunatic_writer *writer, lunatic_pid pid) {
    lunatic_put_unsigned(writer, pid.node);
    lunatic_put_unsigned(writer, pid.id);
}

lunatic_reader lunatic_read_from(const void *place, size_t length) {
    lunatic_reader reader = {(const uint8_t *)place, length, 0, false};
    return reader;
}

uint8_t lunatic_get_u8(lunatic_reader *reader) {
    reader->bad = reader->bad || reader->at == reader->length;
    return reader->bad ? 0 : reader->place[reader->at++];
}

bool lunatic_get_bool(lunatic_reader *reader) {
    uint8_t value = lunatic_get_u8(reader);
    reader->bad = reader->bad || value > 1;
    return !reader->bad && value == 1;
}

uint64_t lunatic_get_unsigned(lunatic_reader *reader, uint64_t max) {
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 64; shift += 7) {
        /* A group that begins above the largest value is one too many, even if it is zero. */
        if (shift > 0 && max >> shift == 0) break;
        uint64_t byte = lunatic_get_u8(reader), bits = byte & 0x7F;
        if (reader->bad || bits > max >> shift) break;
        value |= bits << shift;
        if (byte < 0x80) {
            if (value <= max) return value;
            break;
        }
    }
    reader->bad = true;
    return 0;
}

int64_t lunatic_get_signed(lunatic_reader *reader, int64_t max) {
    uint64_t twice = lunatic_get_unsigned(reader, (uint64_t)max * 2 + 1);
    return (int64_t)(twice >> 1) ^ -(int64_t)(twice & 1);
}

const uint8_t *lunatic_get_bytes(lunatic_reader *reader, size_t *length) {
    *length = (size_t)lunatic_get_unsigned(reader, UINT32_MAX);
    reader->bad = reader->bad || *length > reader->length - reader->at;
    if (reader->bad) {
        *length = 0;
        return NULL;
    }
    const uint8_t *bytes = reader->place + reader->at;
    reader->at += *length;
    return bytes;
}

void lunatic_get_text(lunatic_reader *reader, char *place, size_t room) {
    size_t length;
    const uint8_t *bytes = lunatic_get_bytes(reader, &length);
    reader->bad = reader->bad || length >= room || memchr(bytes, 0, length) != NULL;
    if (room > 0) place[0] = 0;
    if (reader->bad) return;
    memcpy(place, bytes, length);
    place[length] = 0;
}

lunatic_pid lunatic_get_pid(lunatic_reader *reader) {
    lunatic_pid pid;
    pid.node = lunatic_get_unsigned(reader, UINT64_MAX);
    pid.id = lunatic_get_unsigned(reader, UINT64_MAX);
    return pid;
}

bool lunatic_read_all(const lunatic_reader *reader) {
    return !reader->bad && reader->at == reader->length;
}
