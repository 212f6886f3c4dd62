//! A program in Zig on lunatic.h: a process doubles a number, another asks it. The README says how
//! it is built.
//!
//! Prints `twice 21 is 42`.

const std = @import("std");
const lunatic = @import("lunatic.zig");

const number_max = std.math.maxInt(u32);

/// Answers one call.
fn double(_: [*c]const u8, _: usize) callconv(.c) void {
    var message: lunatic.lunatic_message = undefined;
    var caller: lunatic.lunatic_ref = undefined;
    var place: [16]u8 = undefined;
    _ = lunatic.lunatic_receive_tag(lunatic.LUNATIC_TAG_CALL, lunatic.LUNATIC_FOREVER, &message);
    if (!lunatic.lunatic_caller(&message, &caller)) lunatic.lunatic_fail("nobody has called");
    var in = lunatic.lunatic_read_body(&place, place.len);
    const number = lunatic.lunatic_get_unsigned(&in, number_max);
    var out = lunatic.lunatic_write_to(&place, place.len);
    lunatic.lunatic_put_unsigned(&out, number * 2);
    lunatic.lunatic_answer(caller, &place, out.length);
}

pub fn main() void {
    var child: lunatic.lunatic_child = undefined;
    var request: [16]u8 = undefined;
    var place: [16]u8 = undefined;
    const own = lunatic.LUNATIC_OWN;
    if (lunatic.lunatic_spawn(double, null, 0, 0, own, &child) != lunatic.LUNATIC_OK)
        lunatic.lunatic_fail("there is no room for another process");
    var out = lunatic.lunatic_write_to(&request, request.len);
    lunatic.lunatic_put_unsigned(&out, 21);
    var in = lunatic.lunatic_ask(child.pid, "doubler", &out, &place, place.len, 5000);
    const number: u32 = @intCast(lunatic.lunatic_get_unsigned(&in, number_max));
    _ = std.c.printf("twice 21 is %u\n", number);
}
