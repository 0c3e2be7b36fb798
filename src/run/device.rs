//! Which device runs the tensors: `auto`, `cpu`, `cuda` or `cuda:N`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::RunError;
use crate::tensor_ops::backend::{Device, cpu};

/// Device by name, as `--device` takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceChoice {
    /// The first GPU when there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The GPU of this number.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|number| number.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| format!("found `{text}`, expected `auto`, `cpu`, `cuda` or `cuda:N`")),
        }
    }
}

impl TryFrom<String> for DeviceChoice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<DeviceChoice> for String {
    fn from(choice: DeviceChoice) -> Self {
        choice.to_string()
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl DeviceChoice {
    /// Whether a GPU computes: one that is named, or for `auto` one that is there.
    pub fn is_gpu(self) -> bool {
        match self {
            Self::Auto => probe_gpus().count > 0,
            Self::Cpu => false,
            Self::Cuda(_) => true,
        }
    }
}

/// Number of usable GPUs, or the reason why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GpuReport {
    /// Usable CUDA devices.
    pub count: usize,
    /// Why there is none, in words; empty when there is one.
    pub reason: String,
}

/// Looks for usable CUDA devices without touching the backend, which would panic where there is none.
pub fn probe_gpus() -> GpuReport {
    match cuda_device_count() {
        Ok(0) => GpuReport { count: 0, reason: "the driver reports no device".into() },
        Ok(count) => GpuReport { count, reason: String::new() },
        Err(reason) => GpuReport { count: 0, reason },
    }
}

#[cfg(feature = "cuda")]
fn cuda_device_count() -> Result<usize, String> {
    // SAFETY: both calls only try to open a shared library by its well-known name.
    let (driver, compiler) =
        unsafe { (cudarc::driver::sys::is_culib_present(), cudarc::nvrtc::sys::is_culib_present()) };
    if !driver {
        return Err("the NVIDIA driver library `libcuda.so` is not installed".into());
    }
    if !compiler {
        return Err("the CUDA 12 run-time compiler `libnvrtc.so` is not installed".into());
    }
    cudarc::driver::result::init().map_err(|error| format!("the driver does not start: {error}"))?;
    let count = cudarc::driver::result::device::get_count()
        .map_err(|error| format!("the driver does not answer: {error}"))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

#[cfg(not(feature = "cuda"))]
fn cuda_device_count() -> Result<usize, String> {
    Err("this program was built without the feature `cuda`".into())
}

/// The device for a choice, and how to name it in logs.
///
/// # Errors
/// [`RunError::Device`] when a GPU was asked for by name and is not there.
pub fn open(choice: DeviceChoice) -> Result<(Device, String), RunError> {
    match choice {
        DeviceChoice::Cpu => Ok((cpu(), "cpu".into())),
        DeviceChoice::Auto if probe_gpus().count == 0 => Ok((cpu(), "cpu".into())),
        DeviceChoice::Auto => cuda(0),
        DeviceChoice::Cuda(number) => {
            let gpus = probe_gpus();
            if number < gpus.count {
                return cuda(number);
            }
            let reason = match gpus.count {
                0 => gpus.reason,
                count => format!("there are {count} CUDA devices, numbered from 0"),
            };
            Err(RunError::Device { device: choice.to_string(), reason })
        }
    }
}

/// The `count` devices behind `first`, for a training that shares its batches among GPUs. None for 0.
///
/// # Errors
/// [`RunError::Device`] on the CPU, where there are too few GPUs, or without the library that GPUs talk through.
pub fn open_following(first: &Device, count: usize) -> Result<Vec<Device>, RunError> {
    if count == 0 {
        return Ok(vec![]);
    }
    let asked = count + 1;
    let number = cuda_number(first).ok_or_else(|| RunError::Device {
        device: format!("{asked} GPUs"),
        reason: "this run computes on the CPU; set `gpus = 1`".into(),
    })?;
    if let Err(reason) = gpus_can_talk() {
        return Err(RunError::Device { device: format!("{asked} GPUs"), reason });
    }
    (number + 1..=number + count).map(|number| Ok(open(DeviceChoice::Cuda(number))?.0)).collect()
}

/// Bytes of memory of a GPU, whoever uses them; nothing for the CPU, whose memory is not the program's to plan with.
#[cfg(feature = "cuda")]
pub fn gpu_memory(device: &Device) -> Option<u64> {
    let number = i32::try_from(cuda_number(device)?).ok()?;
    let handle = cudarc::driver::result::device::get(number).ok()?;
    // SAFETY: the handle comes from the driver, by the line above.
    let bytes = unsafe { cudarc::driver::result::device::total_mem(handle) }.ok()?;
    u64::try_from(bytes).ok()
}

/// Bytes of memory of a GPU; there is none without the feature `cuda`.
#[cfg(not(feature = "cuda"))]
pub fn gpu_memory(_device: &Device) -> Option<u64> {
    None
}

#[cfg(feature = "cuda")]
fn cuda_number(device: &Device) -> Option<usize> {
    match device {
        Device::Cuda(device) => Some(device.index),
        _ => None,
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda_number(_device: &Device) -> Option<usize> {
    None
}

#[cfg(feature = "cuda")]
fn gpus_can_talk() -> Result<(), String> {
    // SAFETY: the call only tries to open a shared library by its well-known name.
    let is_there = unsafe { cudarc::nccl::sys::is_culib_present() };
    if is_there {
        Ok(())
    } else {
        Err("NVIDIA's library for several GPUs, `libnccl.so`, is not installed".into())
    }
}

#[cfg(not(feature = "cuda"))]
fn gpus_can_talk() -> Result<(), String> {
    Ok(())
}

#[cfg(feature = "cuda")]
fn cuda(number: usize) -> Result<(Device, String), RunError> {
    Ok((Device::Cuda(burn::backend::cuda::CudaDevice::new(number)), format!("cuda:{number}")))
}

#[cfg(not(feature = "cuda"))]
fn cuda(number: usize) -> Result<(Device, String), RunError> {
    Err(RunError::Device {
        device: format!("cuda:{number}"),
        reason: "this program was built without the feature `cuda`".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_parse_and_print() {
        for (text, choice) in
            [("auto", DeviceChoice::Auto), ("cpu", DeviceChoice::Cpu), ("cuda:2", DeviceChoice::Cuda(2))]
        {
            assert_eq!(text.parse(), Ok(choice));
            assert_eq!(choice.to_string(), text);
        }
        assert!("gpu".parse::<DeviceChoice>().unwrap_err().contains("expected `auto`"));
    }

    #[test]
    fn a_gpu_that_is_not_there_is_an_error_and_auto_is_not() {
        let error = open(DeviceChoice::Cuda(99)).unwrap_err();
        assert!(error.to_string().starts_with("device `cuda:99` is not available"), "{error}");
        assert!(open(DeviceChoice::Auto).is_ok());
        assert_eq!(gpu_memory(&cpu()), None);
        assert!(open_following(&cpu(), 0).unwrap().is_empty());
        let error = open_following(&cpu(), 1).unwrap_err().to_string();
        assert!(error.contains("2 GPUs") && error.contains("gpus = 1"), "{error}");
    }
}
