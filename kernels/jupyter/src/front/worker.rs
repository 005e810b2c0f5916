//! The worker process as the front sees it.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::marks::Marks;
use crate::wire::{self, Event, Request};

/// What comes from the worker's process.
#[derive(Debug)]
pub enum Said {
    Event(Box<Event>),
    /// Printed by native code.
    Output {
        stderr: bool,
        text: String,
    },
    /// Everything that native code printed in a cell has come.
    Ended {
        stderr: bool,
        id: u64,
    },
    /// The process is no more.
    Gone,
}

pub struct Worker {
    process: Child,
    requests: UnboundedSender<Request>,
    said: UnboundedReceiver<Said>,
}

impl Worker {
    /// Starts the program again, as a worker with a socket for its standard input.
    pub fn start() -> anyhow::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut process = Command::new(std::env::current_exe()?)
            .arg("worker")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Backtraces of cells would show the kernel's insides.
            .env_remove("RUST_BACKTRACE")
            // Signals to the front's group are not for the worker.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        ours.set_nonblocking(true)?;
        let (from, to) = tokio::net::UnixStream::from_std(ours)?.into_split();
        let (requests, queue) = unbounded_channel();
        let (say, said) = unbounded_channel();
        tokio::spawn(write(to, queue));
        if let Some(stdout) = process.stdout.take() {
            tokio::spawn(drain(stdout, false, say.clone()));
        }
        if let Some(stderr) = process.stderr.take() {
            tokio::spawn(drain(stderr, true, say.clone()));
        }
        tokio::spawn(read(from, say));
        Ok(Self { process, requests, said })
    }
    pub fn tell(&self, request: Request) {
        let _ = self.requests.send(request);
    }
    /// For who wants to tell it something meanwhile.
    pub fn requests(&self) -> UnboundedSender<Request> {
        self.requests.clone()
    }
    pub async fn said(&mut self) -> Said {
        self.said.recv().await.unwrap_or(Said::Gone)
    }
    /// Ends the process at once.
    pub fn end(&mut self) {
        let _ = self.process.start_kill();
    }
    /// How a process that has gone ended.
    pub async fn fate(&mut self) -> String {
        // What still lies in the pipes was printed before the end.
        match tokio::time::timeout(std::time::Duration::from_secs(2), self.process.wait()).await {
            Ok(Ok(status)) => status.to_string(),
            _ => {
                self.end();
                "no status".into()
            }
        }
    }
}

async fn write(mut to: OwnedWriteHalf, mut queue: UnboundedReceiver<Request>) {
    while let Some(request) = queue.recv().await {
        let Ok(frame) = wire::frame(&request) else { continue };
        if to.write_all(&frame).await.is_err() {
            return;
        }
    }
}

async fn read(mut from: OwnedReadHalf, say: UnboundedSender<Said>) {
    while let Ok(length) = from.read_u32_le().await {
        let mut body = vec![0; length as usize];
        if from.read_exact(&mut body).await.is_err() {
            break;
        }
        let Ok(event) = serde_json::from_slice(&body) else { continue };
        if say.send(Said::Event(Box::new(event))).is_err() {
            return;
        }
    }
    let _ = say.send(Said::Gone);
}

/// Reads an output of the process all the time: a pipe that nobody reads would stop it.
async fn drain(mut from: impl tokio::io::AsyncRead + Unpin, stderr: bool, say: UnboundedSender<Said>) {
    let mut marks = Marks::default();
    let mut bytes = vec![0; 64 << 10];
    while let Ok(count) = from.read(&mut bytes).await {
        let new = bytes.get(..count).unwrap_or_default();
        if new.is_empty() {
            return;
        }
        for part in marks.parts(new) {
            let said = match part {
                super::marks::Part::Text(text) => Said::Output { stderr, text },
                super::marks::Part::End(id) => Said::Ended { stderr, id },
            };
            if say.send(said).is_err() {
                return;
            }
        }
    }
}
