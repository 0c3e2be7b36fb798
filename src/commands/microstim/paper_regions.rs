//! The paper's regions, by its names (paper section 3.3, A.5; docs/spec/mapper.md §11).

use crate::pipelines::stimulation::Stimulation;

/// Regions as `microstim --roi` takes them, and what the paper does with them.
pub(super) const PAPER_REGIONS: [(&str, Stimulation); 10] = [
    // Localisers as a whole.
    ("floc-bodies", Stimulation::Excite),
    ("floc-words", Stimulation::Excite),
    ("floc-places", Stimulation::Excite),
    ("floc-faces", Stimulation::Excite),
    // Face areas apart.
    ("OFA", Stimulation::Excite),
    ("FFA-1", Stimulation::Excite),
    ("FFA-2", Stimulation::Excite),
    // Early, intermediate and higher visual cortex.
    ("streams:early", Stimulation::Silence),
    ("streams:midventral+streams:midlateral+streams:midparietal", Stimulation::Silence),
    ("streams:ventral+streams:lateral+streams:parietal", Stimulation::Silence),
];
