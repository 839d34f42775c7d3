//! iceoryx2 for the IPC benchmark: an end with a publisher, a subscriber, or both, that loses nothing (a publisher retries until it has
//! delivered), and the loops over its messages. Subscribers poll: that is its fastest way. ../iceoryx2.c calls this.
use iceoryx2::port::{publisher::Publisher, subscriber::Subscriber};
use iceoryx2::prelude::*;
use std::ffi::{c_char, CStr};
use std::hint::spin_loop;
use std::slice;

pub struct End {
    publisher: Option<Publisher<ipc::Service, [u8], ()>>,
    subscriber: Option<Subscriber<ipc::Service, [u8], ()>>,
    _node: Node<ipc::Service>,
}

const QUEUE: usize = 256;

unsafe fn open(out: *const c_char, input: *const c_char, size: usize) -> Result<End, Box<dyn std::error::Error>> {
    let node = NodeBuilder::new().create::<ipc::Service>()?;
    let service = |name: *const c_char| -> Result<_, Box<dyn std::error::Error>> {
        Ok(node
            .service_builder(&CStr::from_ptr(name).to_str()?.try_into()?)
            .publish_subscribe::<[u8]>()
            .enable_safe_overflow(false)
            .history_size(0)
            .subscriber_max_buffer_size(QUEUE)
            .open_or_create()?)
    };
    let publisher = match out.is_null() {
        true => None,
        false => Some(
            service(out)?
                .publisher_builder()
                .initial_max_slice_len(size)
                .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
                .create()?,
        ),
    };
    let subscriber = match input.is_null() {
        true => None,
        false => Some(service(input)?.subscriber_builder().buffer_size(QUEUE).create()?),
    };
    Ok(End { publisher, subscriber, _node: node })
}

/// # Safety
/// Names are NUL-terminated, or NULL for no such side.
#[no_mangle]
pub unsafe extern "C" fn bench_open(out: *const c_char, input: *const c_char, size: usize) -> *mut End {
    set_log_level(LogLevel::Fatal);
    match open(out, input, size) {
        Ok(end) => Box::into_raw(Box::new(end)),
        Err(error) => {
            eprintln!("bench: iceoryx2: {error}");
            std::ptr::null_mut()
        }
    }
}

/// # Safety
/// What bench_open gave.
#[no_mangle]
pub unsafe extern "C" fn bench_close(end: *mut End) {
    drop(Box::from_raw(end));
}

fn publish(end: &End, bytes: &[u8], size: usize) -> bool {
    let publisher = end.publisher.as_ref().unwrap();
    if size == bytes.len() {
        let Ok(sample) = publisher.loan_slice_uninit(size) else { return false };
        return sample.write_from_slice(bytes).send().is_ok();
    }
    let Ok(mut sample) = publisher.loan_slice_uninit(size) else { return false };
    for (to, from) in sample.payload_mut().iter_mut().zip(bytes) {
        to.write(*from);
    }
    unsafe { sample.assume_init() }.send().is_ok()
}

fn take(end: &End, bytes: &mut [u8]) -> bool {
    let subscriber = end.subscriber.as_ref().unwrap();
    loop {
        match subscriber.receive() {
            Ok(Some(sample)) => {
                let count = bytes.len();
                bytes.copy_from_slice(&sample.payload()[..count]);
                return true;
            }
            Ok(None) => spin_loop(),
            Err(_) => return false,
        }
    }
}

/// One message of `size` bytes, of which the first `copied` are written.
/// # Safety
/// `bytes` holds `copied` bytes.
#[no_mangle]
pub unsafe extern "C" fn bench_send(end: *const End, bytes: *const u8, copied: usize, size: usize) -> bool {
    publish(&*end, slice::from_raw_parts(bytes, copied), size)
}

/// # Safety
/// `bytes` has room for `copied` bytes.
#[no_mangle]
pub unsafe extern "C" fn bench_receive(end: *const End, bytes: *mut u8, copied: usize) -> bool {
    take(&*end, slice::from_raw_parts_mut(bytes, copied))
}

/// # Safety
/// As bench_send; each message begins with its number.
#[no_mangle]
pub unsafe extern "C" fn bench_send_many(
    end: *const End,
    bytes: *mut u8,
    copied: usize,
    size: usize,
    count: u64,
) -> bool {
    let bytes = slice::from_raw_parts_mut(bytes, copied);
    (0..count).all(|number| {
        bytes[..8].copy_from_slice(&number.to_ne_bytes());
        publish(&*end, bytes, size)
    })
}

/// # Safety
/// As bench_receive.
#[no_mangle]
pub unsafe extern "C" fn bench_receive_many(end: *const End, bytes: *mut u8, copied: usize, count: u64) -> bool {
    let bytes = slice::from_raw_parts_mut(bytes, copied);
    (0..count).all(|_| take(&*end, bytes))
}
