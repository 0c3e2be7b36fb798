//! The mapper's forward and backward pass on host memory, one sample at a time.
//!
//! Activations are kept position by position ([`crate::kernels::mapper::signal_conv`]). The two inner activations of a
//! residual block are kept for the backward pass or, for large batches, made anew: either way the same numbers.

use rayon::prelude::*;

use crate::kernels::mapper::position_head::{HeadGradients, HeadWeights, add_lines, relu};
use crate::kernels::mapper::signal_conv::{
    CHANNELS, Signal, add_kernel_gradient, convolve, transposed_kernel,
};
use crate::kernels::simd::vectorised;
use crate::kernels::tile::{COLUMNS, ROWS, Rows, add_product};

/// Taps of the halving layer, and zeros before its signal.
const DOWN_TAPS: usize = 4;
/// Samples whose gradients are summed one after the other; fixed, so that sums never depend on the machine.
const GRADIENT_GROUPS: usize = 8;
/// Memory, in bytes, that inner activations of a batch may take before they are made anew instead.
const MOST_INNER_BYTES: usize = 1 << 30;

/// Sizes of a mapper that these kernels know: one halving layer, 64 channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelShape {
    /// Length of a sample, even.
    pub signal_len: usize,
    /// Residual blocks.
    pub num_blocks: usize,
    /// Width of the embedding, a multiple of 64.
    pub embed_dim: usize,
    /// Hidden units of the head, a multiple of 64.
    pub fc: usize,
}

impl KernelShape {
    /// The sizes of a mapper by the shapes of its weights, if the kernels are made for them.
    ///
    /// # Shapes
    /// - down: `[channels, 1, taps]`, lift: `[embed_dim, channels, 1]`, hidden: `[fc, positions, 1]`
    pub fn of(signal_len: usize, num_blocks: usize, [down, lift, hidden]: [[usize; 3]; 3]) -> Option<Self> {
        let ([embed_dim, channels, _], [fc, positions, _]) = (lift, hidden);
        let fits = down == [CHANNELS, 1, DOWN_TAPS]
            && channels == CHANNELS
            && positions * 2 == signal_len
            && embed_dim.is_multiple_of(CHANNELS)
            && fc.is_multiple_of(CHANNELS);
        fits.then_some(Self { signal_len, num_blocks, embed_dim, fc })
    }

    /// Lengths of all parameters as they lie one behind the other: weight and bias of the halving layer, of the
    /// three convolutions of every block, of the lift, and of the head's two layers.
    pub fn parameter_lens(&self) -> Vec<usize> {
        let mut lens = vec![CHANNELS * DOWN_TAPS, CHANNELS];
        for taps in std::iter::repeat_n([3, 3, 1], self.num_blocks).flatten() {
            lens.extend([CHANNELS * CHANNELS * taps, CHANNELS]);
        }
        lens.extend([self.embed_dim * CHANNELS, self.embed_dim]);
        lens.extend([self.fc * self.signal_len / 2, self.fc, self.fc, 1]);
        lens
    }

    fn positions(&self) -> usize {
        self.signal_len / 2
    }
}

/// A convolution with its kernel laid out for both directions.
#[derive(Debug)]
struct Conv {
    kernel: Vec<f32>,
    transposed: Vec<f32>,
    bias: [f32; CHANNELS],
}

/// Weights of a mapper, laid out for the kernels.
#[derive(Debug)]
pub struct MapperKernels {
    shape: KernelShape,
    /// `[4 taps, 64]`
    down: Vec<f32>,
    down_bias: [f32; CHANNELS],
    blocks: Vec<[Conv; 3]>,
    head: HeadWeights,
}

/// What the forward pass leaves for the backward pass of one sample.
#[derive(Debug)]
pub struct SampleState {
    /// The sample between one zero and some behind.
    padded: Vec<f32>,
    /// The signal before every block and behind the last.
    stages: Vec<Signal>,
    /// The two inner activations of every block, if kept.
    inner: Option<Vec<[Signal; 2]>>,
    hidden: Vec<f32>,
}

struct Gradients {
    down: Vec<f32>,
    down_bias: Vec<f32>,
    /// Kernel and bias.
    blocks: Vec<[(Vec<f32>, Vec<f32>); 3]>,
    head: HeadGradients,
}

impl MapperKernels {
    /// Lays out parameters that lie as [`KernelShape::parameter_lens`] says, each as stored.
    ///
    /// # Panics
    /// For another number of parameters.
    pub fn new(shape: KernelShape, parameters: &[f32]) -> Self {
        let lens = shape.parameter_lens();
        assert_eq!(parameters.len(), lens.iter().sum::<usize>(), "all parameters of a mapper, and no others");
        let mut rest = parameters;
        let parts = lens.into_iter().map(|len| {
            let part;
            (part, rest) = rest.split_at(len);
            part
        });
        let parts: Vec<&[f32]> = parts.collect();
        let [down, down_bias, ref blocks @ .., lift, lift_bias, hidden, hidden_bias, output, output_bias] =
            parts[..]
        else {
            unreachable!("`parameter_lens` lists two parts in front of the blocks and six behind them");
        };
        let conv = |weight: &[f32], values: &[f32]| {
            let kernel = by_tap(weight, CHANNELS);
            Conv { transposed: transposed_kernel(&kernel), kernel, bias: bias(values) }
        };
        let block = |[w1, b1, w2, b2, w3, b3]: &[&[f32]; 6]| [conv(w1, b1), conv(w2, b2), conv(w3, b3)];
        Self {
            shape,
            down: by_tap(down, 1),
            down_bias: bias(down_bias),
            blocks: blocks.as_chunks().0.iter().map(block).collect(),
            head: HeadWeights::new([lift, lift_bias], [hidden, hidden_bias], [output, output_bias]),
        }
    }

    /// Embeddings of a batch, and what the backward pass needs where `keep` says so.
    ///
    /// # Shapes
    /// - betas: `[batch, signal_len]`, embeddings: `[batch, embed_dim]`
    pub fn forward(&self, betas: &[f32], keep: bool) -> (Vec<f32>, Vec<SampleState>) {
        let samples: Vec<&[f32]> = betas.chunks_exact(self.shape.signal_len).collect();
        let inner_bytes = samples.len() * self.blocks.len() * 2 * self.shape.positions() * CHANNELS * 4;
        let keep_inner = keep && inner_bytes <= MOST_INNER_BYTES;
        let done: Vec<_> = samples
            .par_iter()
            .map(|sample| {
                // A sample is one task: its activations (2 MB each for the paper's mapper) stay with one core from
                // layer to layer.
                let (embedding, state) = self.forward_sample(sample, keep_inner);
                (embedding, keep.then_some(state))
            })
            .collect();
        let (embeddings, states): (Vec<_>, Vec<_>) = done.into_iter().unzip();
        (embeddings.concat(), states.into_iter().flatten().collect())
    }

    fn forward_sample(&self, sample: &[f32], keep_inner: bool) -> (Vec<f32>, SampleState) {
        let padded = padded(sample);
        let mut stages = vec![self.halve(&padded)];
        let mut inner = vec![];
        for block in &self.blocks {
            let x = &stages[stages.len() - 1];
            // The third convolution, the shortcut and the ReLU in one pass: `relu(x + conv3(…))` (docs/spec/mapper.md
            // §3).
            let activations = inner_activations(x, block);
            let mut out = Signal::zeros(x.positions());
            let lines = out.lines_mut();
            convolve(&activations[1], &block[2].kernel, |position, sums| {
                let (x, bias) = (&x.lines()[position], &block[2].bias);
                vectorised(|| {
                    for (((out, sum), x), bias) in lines[position].iter_mut().zip(sums).zip(x).zip(bias) {
                        *out = relu(x + (sum + bias));
                    }
                });
            });
            stages.push(out);
            if keep_inner {
                inner.push(activations);
            }
        }
        let (embedding, hidden) = self.head.forward(&stages[stages.len() - 1]);
        (embedding, SampleState { padded, stages, inner: keep_inner.then_some(inner), hidden })
    }

    fn halve(&self, padded: &[f32]) -> Signal {
        let mut out = Signal::zeros(self.shape.positions());
        for (index, lines) in out.lines_mut().chunks_mut(ROWS).enumerate() {
            // Stride 2 is the distance between rows of the left factor, four taps are its depth: the signal is read
            // where it lies. The padding of 1 is the zero in front.
            let values = &padded[2 * index * ROWS..];
            let mut tile = [0.0; ROWS * COLUMNS];
            add_product(Rows { values, row_stride: 2, depth_stride: 1 }, &self.down, &mut tile);
            for (line, sums) in lines.iter_mut().zip(tile.as_chunks::<CHANNELS>().0) {
                for ((out, sum), bias) in line.iter_mut().zip(sums).zip(&self.down_bias) {
                    *out = relu(sum + bias);
                }
            }
        }
        out
    }

    /// Gradient of all parameters, as they lie in [`MapperKernels::new`].
    ///
    /// # Shapes
    /// - gradient: `[batch, embed_dim]`
    pub fn backward(&self, states: &[SampleState], gradient: &[f32]) -> Vec<f32> {
        let samples: Vec<_> = states.iter().zip(gradient.chunks_exact(self.shape.embed_dim)).collect();
        // One sum per sample would take 4.6 MB each (1.16 million parameters); one sum for all would be a race or a
        // lock.
        let group_len = samples.len().div_ceil(GRADIENT_GROUPS).max(1);
        let groups: Vec<Vec<f32>> = samples
            .par_chunks(group_len)
            .map(|samples| {
                let mut sums = self.zero_gradients();
                for (state, gradient) in samples {
                    self.backward_sample(state, gradient, &mut sums);
                }
                self.flatten(sums)
            })
            .collect();
        // Added in the order of the groups, element by element: threads share the elements, not the order.
        let mut groups = groups.into_iter();
        let mut total = groups.next().unwrap_or_else(|| self.flatten(self.zero_gradients()));
        for group in groups {
            total.par_chunks_mut(4096).zip(group.par_chunks(4096)).for_each(|(total, group)| {
                total.iter_mut().zip(group).for_each(|(total, value)| *total += value);
            });
        }
        total
    }

    fn backward_sample(&self, state: &SampleState, gradient: &[f32], sums: &mut Gradients) {
        let last = &state.stages[self.blocks.len()];
        let mut of_signal = self.head.backward(last, &state.hidden, gradient, &mut sums.head);
        for (index, block) in self.blocks.iter().enumerate().rev() {
            // Through the ReLU behind the sum. A ReLU's output is positive exactly where its input was, so the stage
            // that was kept serves as the mask.
            mask(&mut of_signal, &state.stages[index + 1]);
            let x = &state.stages[index];
            let made;
            let [first, second] = match &state.inner {
                Some(inner) => &inner[index],
                None => {
                    made = inner_activations(x, block);
                    &made
                }
            };
            let [sums1, sums2, sums3] = &mut sums.blocks[index];
            add_conv_gradient(second, &of_signal, sums3);
            let of_second = carried_back(&of_signal, &block[2], second);
            add_conv_gradient(first, &of_second, sums2);
            let of_first = carried_back(&of_second, &block[1], first);
            add_conv_gradient(x, &of_first, sums1);
            // Past the block and along its shortcut.
            let lines = of_signal.lines_mut();
            convolve(&of_first, &block[0].transposed, |position, sums| {
                lines[position].iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
            });
        }
        mask(&mut of_signal, &state.stages[0]);
        // Of the tile's six rows the first four are the taps; the two others belong to no tap and are cut off by the
        // shorter `sums.down`.
        let lines = &of_signal.from_position(0)[..self.shape.positions() * CHANNELS];
        let mut tile = [0.0; ROWS * COLUMNS];
        add_product(Rows { values: &state.padded, row_stride: 1, depth_stride: 2 }, lines, &mut tile);
        sums.down.iter_mut().zip(tile).for_each(|(total, sum)| *total += sum);
        add_lines(lines, &mut sums.down_bias);
    }

    fn zero_gradients(&self) -> Gradients {
        let zeros = |conv: &Conv| (vec![0.0; conv.kernel.len()], vec![0.0; CHANNELS]);
        Gradients {
            down: vec![0.0; DOWN_TAPS * CHANNELS],
            down_bias: vec![0.0; CHANNELS],
            blocks: self.blocks.iter().map(|block| block.each_ref().map(zeros)).collect(),
            head: self.head.zero_gradients(),
        }
    }

    /// The gradients in the order and layout of the parameters.
    fn flatten(&self, sums: Gradients) -> Vec<f32> {
        let mut flat = Vec::with_capacity(self.shape.parameter_lens().iter().sum());
        flat.extend(as_stored(&sums.down, 1));
        flat.extend(sums.down_bias);
        for (kernel, bias) in sums.blocks.into_iter().flatten() {
            flat.extend(as_stored(&kernel, CHANNELS));
            flat.extend(bias);
        }
        let HeadGradients { lift, lift_bias, hidden, hidden_bias, output, output_bias } = sums.head;
        flat.extend(lift);
        flat.extend(lift_bias);
        // Gradients of the hidden layer were gathered by position, `[positions, fc]`; stored it is `[fc, positions]`.
        let fc = self.shape.fc;
        flat.extend((0..fc).flat_map(|unit| hidden.iter().skip(unit).step_by(fc)));
        flat.extend(hidden_bias);
        flat.extend(output);
        flat.push(output_bias);
        flat
    }
}

/// `relu(conv1(x))` and `relu(conv2(…))` of a block.
fn inner_activations(x: &Signal, block: &[Conv; 3]) -> [Signal; 2] {
    let first = activated(x, &block[0]);
    let second = activated(&first, &block[1]);
    [first, second]
}

fn activated(x: &Signal, conv: &Conv) -> Signal {
    let mut out = Signal::zeros(x.positions());
    let lines = out.lines_mut();
    convolve(x, &conv.kernel, |position, sums| {
        vectorised(|| {
            for ((out, sum), bias) in lines[position].iter_mut().zip(sums).zip(&conv.bias) {
                *out = relu(sum + bias);
            }
        });
    });
    out
}

/// The gradient in front of a convolution and of the ReLU that made `x`.
fn carried_back(gradient: &Signal, conv: &Conv, x: &Signal) -> Signal {
    let mut out = Signal::zeros(x.positions());
    let lines = out.lines_mut();
    convolve(gradient, &conv.transposed, |position, sums| {
        let x = &x.lines()[position];
        vectorised(|| {
            for ((out, sum), x) in lines[position].iter_mut().zip(sums).zip(x) {
                // At 0 the ReLU's slope is taken as 0, as PyTorch does.
                *out = if *x > 0.0 { *sum } else { 0.0 };
            }
        });
    });
    out
}

fn add_conv_gradient(x: &Signal, gradient: &Signal, (kernel, bias): &mut (Vec<f32>, Vec<f32>)) {
    add_kernel_gradient(x, gradient, kernel);
    vectorised(|| add_lines(gradient.lines().as_flattened(), bias));
}

/// Zero where the activation is.
fn mask(gradient: &mut Signal, activation: &Signal) {
    vectorised(|| {
        let pairs = gradient.lines_mut().as_flattened_mut().iter_mut().zip(activation.lines().as_flattened());
        for (gradient, activation) in pairs {
            *gradient = if *activation > 0.0 { *gradient } else { 0.0 };
        }
    });
}

/// One zero before the sample; behind it what the last tile reaches.
fn padded(sample: &[f32]) -> Vec<f32> {
    let mut padded = vec![0.0; sample.len() + 1 + 2 * ROWS + DOWN_TAPS];
    padded[1..=sample.len()].copy_from_slice(sample);
    padded
}

fn bias(values: &[f32]) -> [f32; CHANNELS] {
    let mut bias = [0.0; CHANNELS];
    bias.copy_from_slice(values);
    bias
}

/// `[64 out, in, taps]` to `[taps, in, 64 out]`.
fn by_tap(weight: &[f32], inputs: usize) -> Vec<f32> {
    let taps = weight.len() / (CHANNELS * inputs);
    let at = |tap: usize, input: usize, out: usize| weight[(out * inputs + input) * taps + tap];
    let places =
        (0..taps * inputs * CHANNELS).map(|i| (i / CHANNELS / inputs, i / CHANNELS % inputs, i % CHANNELS));
    places.map(|(tap, input, out)| at(tap, input, out)).collect()
}

/// `[taps, in, 64 out]` to `[64 out, in, taps]`; for gradients, whose rows are inputs and columns outputs.
fn as_stored(kernel: &[f32], inputs: usize) -> impl Iterator<Item = f32> {
    let taps = kernel.len() / (CHANNELS * inputs);
    (0..kernel.len()).map(move |i| {
        let (out, input, tap) = (i / taps / inputs, i / taps % inputs, i % taps);
        kernel[(tap * inputs + input) * CHANNELS + out]
    })
}
