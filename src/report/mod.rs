//! Plain data to one self-contained HTML file: no scripts, no network.

pub mod bar_chart;
pub mod brain_view;
pub mod dot_chart;
pub mod image_grid;
pub mod line_chart;
pub mod number_format;
pub mod page;

pub use brain_view::{BrainView, Viewpoint};
pub use dot_chart::{Dot, DotChart, DotGroup, DotRow};
pub use image_grid::{Cell, ImageGrid};
pub use line_chart::{LineChart, Marks, Series};
pub use page::{Block, Opening, Page, Section, Table};
