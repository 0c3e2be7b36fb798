//! Network pickles: modules, persistent objects and the streams that hold their storages.

use mindreader::weights::readers::parse_foreign;

use super::{Hostile, check};
use crate::assembler::Pickle;
use crate::small_files::{
    ROWS, floats, legacy, legacy_storage, module_state, network, persistent, pickled_storage,
};

/// A network with one parameter whose storage is this stream.
fn with_stream(storage: impl FnOnce(Pickle) -> Pickle) -> Vec<u8> {
    network(|p| module_state(p, "_parameters", |p| p.text("w").tensor(&ROWS, storage).set_item()))
}

/// `levels` lists, each holding the one below `width` times.
fn laughs(pickle: Pickle, levels: u32, width: u32) -> Pickle {
    let mut pickle = pickle.empty_list().put(1000);
    for level in 1001..=1000 + levels {
        pickle = pickle.pop().empty_list().put(level).mark();
        for _ in 0..width {
            pickle = pickle.get(level - 1);
        }
        pickle = pickle.appends();
    }
    pickle
}

#[test]
fn network_pickles() {
    let attribute = |fill: fn(Pickle) -> Pickle| {
        network(|p| module_state(p, "_parameters", |p| p).mark().text("extra").then(fill).set_items())
    };
    // Modules 0 to 60, each twice inside the next.
    let mut doubled = Pickle::new().empty_dict().text("G");
    let plain = |p: Pickle, fill: &dyn Fn(Pickle) -> Pickle| {
        module_state(p.global("torch.nn", "M").empty_tuple().new_object(), "_modules", fill).build()
    };
    for level in 0..60_u32 {
        doubled = plain(doubled, &|p| match level {
            0 => p,
            _ => p.mark().text("a").get(level - 1).text("b").get(level - 1).set_items(),
        });
        doubled = if level < 59 { doubled.put(level).pop() } else { doubled };
    }
    let itself =
        Pickle::new().empty_dict().text("G").global("torch.nn", "M").empty_tuple().new_object().put(0);
    let itself =
        module_state(itself, "_modules", |p| p.text("again").get(0).set_item()).build().set_item().stop();
    let tensorflow = Pickle::new().global("dnnlib.tflib.network", "Network").empty_tuple().new_object();
    let tensorflow = tensorflow.empty_dict().build().put(0).get(0).get(0).raw(&[0x87]).stop();
    let versioned =
        persistent(Pickle::new().empty_dict().text("G"), 5, |p| module_state(p, "_parameters", |p| p));
    let meta =
        Pickle::new().empty_dict().text("G").global("torch_utils.persistence", "_reconstruct_persistent_obj");
    let no_class =
        meta.clone().empty_dict().mark().text("type").text("class").text("version").int(6).set_items();
    let function = meta.empty_dict().text("type").text("function").set_item();
    let empty = |p| persistent(p, 6, |p| module_state(p, "_parameters", |p| p)).set_item();
    let twice = empty(empty(Pickle::new().empty_dict().text("G_ema")).text("G_ema"));
    let many: Vec<u8> = network(|p| {
        module_state(p, "_parameters", |mut p| {
            p = p.text("w").tensor(&ROWS, |p| pickled_storage(p, &legacy_storage())).put(0).set_item();
            for index in 0..70_000 {
                p = p.text(&index.to_string()).get(0).set_item();
            }
            p
        })
    });
    check(vec![
        Hostile(
            "no networks",
            Pickle::new().empty_dict().text("x").int(1).set_item().stop(),
            "at least one network",
        ),
        Hostile("a list", Pickle::new().empty_list().stop(), "a dict of networks"),
        Hostile(
            "a dict that holds itself",
            Pickle::new().empty_dict().put(0).text("x").get(0).set_item().stop(),
            "at least one network",
        ),
        Hostile("modules twice in each other, sixty times", doubled.set_item().stop(), "built to grow"),
        Hostile("a module in itself", itself, "holds itself"),
        Hostile("lists that unfold", attribute(|p| laughs(p, 7, 100)), "built to grow"),
        Hostile("TensorFlow", tensorflow, "StyleGAN for TensorFlow"),
        Hostile("version 5", versioned.set_item().stop(), "version of module"),
        Hostile("no class name", no_class.tuple1().reduce().set_item().stop(), "an entry `class_name`"),
        Hostile("a persistent function", function.tuple1().reduce().set_item().stop(), "expected `class`"),
        Hostile("a state that is a list", network(|p| p.empty_list()), "state of module"),
        Hostile("a state without tables", network(|p| p.empty_dict()), "neither"),
        Hostile(
            "a table that is a list",
            network(|p| p.empty_dict().text("_parameters").empty_list().set_item()),
            "a list of 0",
        ),
        Hostile(
            "a text as weight",
            network(|p| module_state(p, "_parameters", |p| p.text("w").text("x").set_item())),
            "tensor `G_ema/w`",
        ),
        Hostile(
            "a number as module",
            network(|p| module_state(p, "_modules", |p| p.text("m").int(1).set_item())),
            "module `G_ema/m`",
        ),
        Hostile(
            "a number as name",
            network(|p| module_state(p, "_parameters", |p| p.int(1).int(1).set_item())),
            "name in module",
        ),
        Hostile(
            "a very long name",
            network(|p| module_state(p, "_parameters", |p| p.text(&"x".repeat(5000)).int(1).set_item())),
            "below 512 bytes",
        ),
        Hostile(
            "two tables of one name",
            network(|p| {
                p.empty_dict().mark().text("_modules").empty_dict().text("_modules").empty_dict().set_items()
            }),
            "several",
        ),
        Hostile(
            "OrderedDict filled by its constructor",
            network(|p| {
                module_state(p, "_parameters", |p| {
                    p.pop().global("collections", "OrderedDict").empty_list().tuple1().reduce()
                })
            }),
            "a call of `collections.OrderedDict`",
        ),
        Hostile("a network twice", twice.stop(), "network `G_ema`: found several"),
        Hostile("one tensor seventy thousand times", many, "number of tensors"),
        Hostile("no tensors", network(|p| module_state(p, "_parameters", |p| p)), "at least one tensor"),
        Hostile(
            "a storage made by the system",
            with_stream(|p| p.global("os", "system").text("id").tuple1().reduce()),
            "os.system",
        ),
        Hostile(
            "a storage that is a text",
            with_stream(|p| p.global("torch.storage", "_load_from_bytes").text("x").tuple1().reduce()),
            "expected bytes",
        ),
        Hostile("a cut stream", with_stream(|p| pickled_storage(p, &legacy_storage()[..100])), "`G_ema/w`"),
        Hostile(
            "a stream of two storages",
            with_stream(|p| {
                let object = Pickle::new()
                    .storage("FloatStorage", "0", 6, true)
                    .storage("FloatStorage", "1", 6, true)
                    .raw(&[0x86])
                    .stop();
                pickled_storage(p, &legacy(object, &[("0", 6, &floats()), ("1", 6, &floats())]))
            }),
            "a tuple of 2",
        ),
        Hostile(
            "letters above 255",
            with_stream(|p| {
                p.global("torch.storage", "_load_from_bytes")
                    .global("_codecs", "encode")
                    .text("Ā")
                    .text("latin1")
                    .raw(&[0x86])
                    .reduce()
                    .tuple1()
                    .reduce()
            }),
            "code points below 256",
        ),
    ]);
}

#[test]
fn what_no_weight_needs_may_be_unknown() {
    let with_extras = network(|p| {
        let p = module_state(p, "_parameters", |p| {
            p.text("w").tensor(&ROWS, |p| pickled_storage(p, &legacy_storage())).set_item()
        });
        let p = p.mark().text("tool").global("os", "system").text("id").tuple1().reduce();
        p.text("_hooks").global("some.where", "Hook").empty_tuple().new_object().set_items()
    });
    let (_, networks) = parse_foreign(&with_extras).unwrap();
    assert_eq!(networks["G_ema"].tensors.len(), 1);
    assert!(!networks["G_ema"].settings.contains_key("tool"));
}
