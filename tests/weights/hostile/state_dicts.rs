//! What `torch.save` was given: state dicts, checkpoints around them, weights that cannot be read.

use super::{Hostile, check};
use crate::assembler::Pickle;
use crate::small_files::{state_dict, torch_zip, zip_tensor};

#[test]
fn state_dicts() {
    let storage = |p: Pickle| p.storage("FloatStorage", "0", 6, false);
    let twice =
        zip_tensor(zip_tensor(Pickle::new().empty_dict().text("w")).set_item().text("w")).set_item().stop();
    let metadata = |p: Pickle| {
        let p = storage(p.global("torch._utils", "_rebuild_tensor_v2").mark())
            .int(0)
            .ints(&[6])
            .ints(&[1])
            .boolean(false)
            .none();
        p.empty_dict().text("neg").boolean(true).set_item().tuple().reduce()
    };
    let sharing = (1..=4).fold(Pickle::new().empty_dict().put(0), |mut p, level| {
        p = p.pop().empty_dict().put(level).mark();
        for key in 0..1000 {
            p = p.text(&key.to_string()).get(level - 1);
        }
        p.set_items()
    });
    let sharing = sharing.stop();
    let unknown = |module, name| {
        torch_zip(state_dict(|p| {
            zip_tensor(p.none().set_item().text("good"))
                .set_item()
                .text("bad")
                .global(module, name)
                .text("x")
                .tuple1()
                .reduce()
        }))
    };
    check(vec![
        Hostile(
            "negated lazily",
            torch_zip(
                Pickle::new()
                    .empty_dict()
                    .mark()
                    .text("good")
                    .then(zip_tensor)
                    .text("w")
                    .then(metadata)
                    .set_items()
                    .stop(),
            ),
            "tensor `w`",
        ),
        Hostile(
            "a weight of the system",
            unknown("os", "system"),
            "tensor `bad`: found a call of `os.system`",
        ),
        Hostile(
            "a sparse weight",
            unknown("torch._utils", "_rebuild_sparse_tensor"),
            "_rebuild_sparse_tensor",
        ),
        Hostile("a NumPy weight", unknown("numpy.core.multiarray", "_reconstruct"), "tensor `bad`"),
        Hostile("two of one name", torch_zip(twice), "tensor `w`: found several"),
        Hostile("dicts that share dicts", torch_zip(sharing), "built to grow"),
        Hostile("only a tensor", torch_zip(zip_tensor(Pickle::new()).stop()), "a state dict or module"),
        Hostile(
            "two state dicts",
            torch_zip(
                Pickle::new()
                    .empty_dict()
                    .mark()
                    .text("model")
                    .empty_dict()
                    .text("w")
                    .then(zip_tensor)
                    .set_item()
                    .text("ema")
                    .empty_dict()
                    .text("w")
                    .then(zip_tensor)
                    .set_item()
                    .set_items()
                    .stop(),
            ),
            "`model`, `ema`",
        ),
        Hostile(
            "a checkpoint in itself",
            torch_zip(Pickle::new().empty_dict().put(0).text("model").get(0).set_item().stop()),
            "a state dict or module",
        ),
        Hostile(
            "bytes after the pickle",
            torch_zip([state_dict(zip_tensor), vec![0; 3]].concat()),
            "end of pickle `archive/data.pkl`",
        ),
    ]);
}
