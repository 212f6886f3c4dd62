// A program in C++: the library links with it, and an entry may be a lambda without captures,
// and objects are constructed once in each process.
#include "../lunatic_supervisor.h"

#include <stdio.h>

// Volatile, or the compiler constructs the object itself.
static volatile int one = 1;

struct counted {
    int times;
    counted() { times += one; }
};
static counted object;

int main() {
    if (object.times != 1) return 5;
    lunatic_child child;
    lunatic_message message;
    lunatic_entry entry = [](const uint8_t *argument, size_t length) {
        lunatic_exit_self(object.times == 1 ? LUNATIC_CUSTOM : LUNATIC_ERROR, argument, length);
    };
    char heard[4] = "";
    if (lunatic_spawn(entry, "c++", 3, LUNATIC_MONITOR, LUNATIC_OWN, &child) != LUNATIC_OK)
        return 1;
    lunatic_receive(nullptr, 0, LUNATIC_FOREVER, &message);
    if (message.reason != LUNATIC_CUSTOM || lunatic_read(heard, 3) != 3) return 2;
    lunatic_entry supervise = [](const uint8_t *, size_t) {
        lunatic_supervision how = {LUNATIC_ONE_FOR_ONE, 0, 1000};
        lunatic_child_spec spec = {};
        spec.entry = [](const uint8_t *, size_t) {};
        spec.config = LUNATIC_OWN;
        lunatic_supervise(&how, &spec, 1);
    };
    if (lunatic_spawn(supervise, nullptr, 0, LUNATIC_MONITOR, LUNATIC_OWN, &child) != LUNATIC_OK)
        return 3;
    lunatic_receive(nullptr, 0, LUNATIC_FOREVER, &message);
    if (message.reason != LUNATIC_SHUTDOWN) return 4;
    puts(heard[0] == 'c' && heard[1] == '+' && heard[2] == '+' ? "ok" : heard);
    return 0;
}
