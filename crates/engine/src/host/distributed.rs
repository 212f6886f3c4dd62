//! `lunatic::distributed`, as a node without a cluster answers: there is no other node.
//!
//! Every guest library imports some of these functions, and calls few of them.

use lunatic_model::Rights;
use wasmtime::{Caller, Linker, Result, bail};

use crate::host::fail;
use crate::host::message::take_data;
use crate::host::process::may_spawn;
use crate::state::State;

const NAMESPACE: &str = "lunatic::distributed";
const NO_CLUSTER: &str = "this node is not part of a cluster, so there is no other node";

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NAMESPACE, "nodes_count", || 0_i32)?;
    linker.func_wrap(NAMESPACE, "get_nodes", |_: i32, _: i32| 0_i32)?;
    linker.func_wrap(NAMESPACE, "node_id", || 0_i64)?;
    linker.func_wrap(NAMESPACE, "module_id", || 0_i64)?;
    linker.func_wrap(NAMESPACE, "spawn", spawn)?;
    linker.func_wrap(NAMESPACE, "send", send)?;
    linker.func_wrap(NAMESPACE, "send_receive_skip_search", send_receive)?;
    linker.func_wrap(NAMESPACE, "exec_lookup_nodes", exec_lookup_nodes)?;
    linker.func_wrap(NAMESPACE, "copy_lookup_nodes_results", copy_lookup_nodes_results)?;
    linker.func_wrap(NAMESPACE, "test_root_cert", |_: i32| no_certificates())?;
    linker.func_wrap(
        NAMESPACE,
        "default_server_certificates",
        |_: i32, _: i32, _: i32, _: i32, _: i32| no_certificates(),
    )?;
    linker.func_wrap(
        NAMESPACE,
        "sign_node",
        |_: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32| no_certificates(),
    )?;
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the parameters are the ABI's")]
fn spawn(
    mut caller: Caller<'_, State>,
    _node: i64,
    _config: i64,
    _module: i64,
    _name: i32,
    _name_length: i32,
    _params: i32,
    _params_length: i32,
    id_pointer: i32,
) -> Result<i32> {
    may_spawn(caller.data())?;
    if let Err(text) = caller.data().permit(Rights::DISTRIBUTED, "lunatic::distributed spawn") {
        return fail(&mut caller, text, id_pointer);
    }
    fail(&mut caller, NO_CLUSTER, id_pointer)
}

fn send(mut caller: Caller<'_, State>, _node: i64, _pid: i64) -> Result<i32> {
    take_data(caller.data_mut())?;
    Ok(1)
}

pub(super) fn send_receive(
    caller: Caller<'_, State>,
    node: i64,
    pid: i64,
    _tag: i64,
    _timeout: i64,
) -> Result<i32> {
    send(caller, node, pid)
}

fn exec_lookup_nodes(
    mut caller: Caller<'_, State>,
    _query: i32,
    _query_length: i32,
    _query_id_pointer: i32,
    _count_pointer: i32,
    error_pointer: i32,
) -> Result<i32> {
    fail(&mut caller, NO_CLUSTER, error_pointer)
}

fn copy_lookup_nodes_results(
    mut caller: Caller<'_, State>,
    _query_id: i64,
    _destination: i32,
    _capacity: i32,
    error_pointer: i32,
) -> Result<i32> {
    fail(&mut caller, NO_CLUSTER, error_pointer)?;
    Ok(-1)
}

fn no_certificates() -> Result<i32> {
    bail!("certificates are made by the command that sets up a cluster, not by programs")
}
