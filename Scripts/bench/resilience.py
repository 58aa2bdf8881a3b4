"""What happens to runs that are cut, killed, stopped or starved, tried on the built program.

Each part prints one line for each thing that holds and fails with the first that does not.
"""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

CLEFT = os.path.abspath(sys.argv[1])
WORK = tempfile.mkdtemp(prefix="cleft-resilience-")
os.chmod(WORK, 0o755)
DATA = WORK + "/data"
SMALL = (
    "--model tiny --image_size 56 --batch_size 4 --devices 1 --accelerator cpu --warm_up 2 --log_every 1 "
    "--linear_proj --pool_feat --skip_picture_check --no_tensorboard --checkpoint_epochs 0 --keep_best 0"
).split()
METHODS = {
    "full": [],
    "lora": ["--peft", "lora"],
    "ia3": ["--peft", "ia3"],
    "prefix": ["--peft", "prefix"],
    "prompt": ["--peft", "lora", "--prompt_ft", "--ctx_length", "8", "--ctx_init", "caption", "--sgd", "--learning_rate", "1e-2"],
}


def fail(text):
    print("FAILED:", text)
    sys.exit(1)


def check(holds, text):
    if not holds:
        fail(text)


def command(folder, steps, *extra):
    return [CLEFT, "train", "--data_dir", DATA, "--log_dir", folder, "--max_steps", str(steps), *SMALL, *extra]


def run(arguments, **options):
    return subprocess.run(arguments, capture_output=True, text=True, **options)


def train(folder, steps, *extra, status=0, **options):
    result = run(command(folder, steps, *extra), **options)
    check(result.returncode == status, f"exit {result.returncode} instead of {status}: {' '.join(extra)}\n{result.stderr[-2000:]}")
    return result


def runs(folder):
    base = folder + "/CLEFT"
    return [f"{base}/{name}" for name in sorted(os.listdir(base))] if os.path.isdir(base) else []


def steps(run_folder):
    folder = run_folder + "/checkpoints"
    if not os.path.isdir(folder):
        return []
    whole = [n for n in os.listdir(folder) if n.startswith("step-") and "." not in n]
    return sorted(f"{folder}/{n}" for n in whole)


def contents(checkpoint):
    found = []
    for name in ("model.safetensors", "optimizer.safetensors"):
        with open(f"{checkpoint}/{name}", "rb") as file:
            found.append(file.read())
    return found


def stray(folder):
    return [p for p, names, files in os.walk(folder) for n in names + files if n.endswith(".partial")]


def resume():
    """Cut at some steps and resumed, with other loader threads, to the same bits."""
    count = 0
    for method, options in METHODS.items():
        for accumulation in (1, 3):
            extra = [*options, "--accumulate_grad_batches", str(accumulation), "--checkpoint_every", "1"]
            folder = f"{WORK}/resume-{method}-{accumulation}"
            train(folder, 40, *extra, "--keep_checkpoints", "40", "--num_workers", "0")
            whole = runs(folder)[0]
            final = contents(steps(whole)[-1])
            for workers in (0, 1, 3):
                again = f"{folder}/workers-{workers}"
                if workers:
                    train(again, 40, *extra, "--num_workers", str(workers))
                    check(contents(steps(runs(again)[0])[-1]) == final, f"{method}: {workers} loader threads give other bits")
                for cut in (1, 7, 20, 39):
                    out = f"{folder}/cut-{cut}-{workers}"
                    part = f"{out}/CLEFT/2026_01_01_00_00_00/checkpoints/step-{cut:08d}"
                    shutil.copytree(f"{whole}/checkpoints/step-{cut:08d}", part)
                    shutil.copy(f"{whole}/metrics.jsonl", f"{out}/CLEFT/2026_01_01_00_00_00/metrics.jsonl")
                    train(out, 40, *extra, "--num_workers", str(workers), "--resume_ckpt", "last")
                    check(contents(steps(runs(out)[-1])[-1]) == final, f"{method}: cut at {cut}, accumulation {accumulation}: other bits")
                    count += 1
                    shutil.rmtree(out)
            shutil.rmtree(folder)
    print(f"resume: {count} runs cut and resumed, all bit-equal to the whole ones")


def reference(extra, total):
    """Bytes of every checkpoint of a run that nobody disturbs."""
    folder = f"{WORK}/reference"
    shutil.rmtree(folder, ignore_errors=True)
    train(folder, total, *extra, "--checkpoint_every", "1", "--keep_checkpoints", str(total))
    found = {os.path.basename(path): contents(path) for path in steps(runs(folder)[0])}
    shutil.rmtree(folder)
    return found


def newest_is_whole(folder, expected, what):
    found = steps(runs(folder)[-1]) if runs(folder) else []
    if found:
        name = os.path.basename(found[-1])
        check(contents(found[-1]) == expected[name], f"{what}: {name} is not what the step was")
        result = run([CLEFT, "inspect", found[-1] + "/model.safetensors"])
        check(result.returncode == 0, f"{what}: {name} is not readable: {result.stderr}")
    return found


def kills(count=200, total=60):
    """kill -9 at random times; the run goes on from what stands."""
    random.seed(1)
    extra = ["--peft", "lora"]
    expected = reference(extra, total)
    folder, done, rounds = f"{WORK}/kills", 0, 0
    while done < count:
        rounds += 1
        shutil.rmtree(folder, ignore_errors=True)
        while done < count:
            arguments = command(folder, total, *extra, "--checkpoint_every", "1")
            if runs(folder) and steps(runs(folder)[-1]):
                arguments += ["--resume_ckpt", "last"]
            process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            try:
                process.wait(random.uniform(0.2, 1.5))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                done += 1
            else:
                check(process.returncode == 0, f"kills: exit {process.returncode}: {process.stderr.read().decode()[-800:]}")
                # A run that was killed before its first checkpoint is not gone on with: the next start is another run.
                left = stray(runs(folder)[-1])
                check(not left, f"kills: left behind: {left}")
                newest_is_whole(folder, expected, f"kill {done}")
                break
            process.stderr.close()
            newest_is_whole(folder, expected, f"kill {done}")
    print(f"kills: {count} in {rounds} run(s), the newest checkpoint whole each time, no stray files in finished runs")


PRELOAD = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Kills the process when it has written so many bytes to files that end in .partial, at exactly that byte. */
static long left = -2;
ssize_t write(int fd, const void *buffer, size_t count) {
  static ssize_t (*real)(int, const void *, size_t);
  if (!real) real = dlsym(RTLD_NEXT, "write");
  if (left == -2) left = getenv("KILL_AFTER") ? atol(getenv("KILL_AFTER")) : -1;
  if (left < 0) return real(fd, buffer, count);
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return real(fd, buffer, count);
  path[length] = 0;
  if (!strstr(path, "/checkpoints/") || !strstr(path, ".partial")) return real(fd, buffer, count);
  if ((long)count < left) { left -= count; return real(fd, buffer, count); }
  real(fd, buffer, left);
  kill(getpid(), SIGKILL);
  return -1;
}
"""


def writes(step=64 << 10, total=6):
    """kill -9 after every 64 KiB that a checkpoint writes."""
    extra = ["--peft", "lora"]
    expected = reference(extra, total)
    with open(f"{WORK}/kill.c", "w") as file:
        file.write(PRELOAD)
    compiler = next((c for c in ("cc", "gcc", "clang") if shutil.which(c)), None) or fail("writes: no C compiler")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", f"{WORK}/kill.so", f"{WORK}/kill.c", "-ldl"], check=True)
    # The tensors of one checkpoint, and a little more for its texts.
    size = sum(len(part) for part in expected["step-00000001"]) + (64 << 10)
    folder = f"{WORK}/writes"
    count = 0
    # The second and third checkpoint are cut: one stands before them.
    for boundary in range(size + 1, 2 * size + size // 2, step):
        shutil.rmtree(folder, ignore_errors=True)
        environment = dict(os.environ, LD_PRELOAD=f"{WORK}/kill.so", KILL_AFTER=str(boundary))
        result = run(command(folder, total, *extra, "--checkpoint_every", "1"), env=environment)
        check(result.returncode == -signal.SIGKILL, f"writes: exit {result.returncode} at byte {boundary}: {result.stderr[-400:]}")
        found = newest_is_whole(folder, expected, f"byte {boundary}")
        check(found, f"writes: nothing stands at byte {boundary}")
        if count % 16 == 0:
            train(folder, total, *extra, "--checkpoint_every", "1", "--resume_ckpt", "last")
            check(not stray(folder), f"writes: left behind after byte {boundary}: {stray(folder)}")
            check(contents(steps(runs(folder)[-1])[-1]) == expected[f"step-{total:08d}"], f"writes: byte {boundary}: other bits")
        count += 1
    print(f"writes: killed after every {step >> 10} KiB, {count} times; the checkpoint before stands, and goes on to the same bits")


def terms(count=100):
    """SIGTERM at random times: exit 75 within a step and the write of a checkpoint."""
    random.seed(2)
    folder, longest = f"{WORK}/terms", 0.0
    for number in range(count):
        shutil.rmtree(folder, ignore_errors=True)
        chosen = random.choice([signal.SIGTERM] * 4 + [signal.SIGINT, signal.SIGUSR1])
        process = subprocess.Popen(
            command(folder, 100000, "--peft", "lora", "--checkpoint_every", "0"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        # Anything but the very first moments, in which the program is not there yet.
        time.sleep(random.uniform(0.3, 1.5))
        started = time.time()
        process.send_signal(chosen)
        errors = process.communicate(timeout=60)[1].decode()
        longest = max(longest, time.time() - started)
        check(process.returncode == 75, f"terms: {chosen.name}: exit {process.returncode}: {errors[-600:]}")
        lines = [json.loads(line)["step"] for line in open(runs(folder)[-1] + "/metrics.jsonl")] if runs(folder) else []
        reached = max([step for step in lines if step > 0], default=0)
        if reached:
            found = steps(runs(folder)[-1])
            check(found and int(found[-1][-8:]) >= reached, f"terms: step {reached} logged, checkpoints {found}")
    print(f"terms: {count} signals, exit 75 each time, the longest took {longest:.2f} s; no logged step is lost")


def mount(folder, megabytes):
    os.makedirs(folder, exist_ok=True)
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder]).returncode == 0


def starve(name, prepare, disturb, *extra, user=None):
    """A run whose disk goes bad after its first checkpoints: loud, and what stood stands."""
    folder = f"{WORK}/{name}"
    prepare(folder)
    process = subprocess.Popen(
        command(folder, 100000, "--peft", "lora", "--checkpoint_every", "20", *extra),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=WORK, **({"user": user, "group": user} if user else {}))
    while not (runs(folder) and len(steps(runs(folder)[-1])) >= 1):
        check(process.poll() is None, f"{name}: ended before the first checkpoint: {process.poll()} {process.stderr.read()[-600:] if process.poll() is not None else ''}")
        time.sleep(0.01)
    disturb(folder)
    errors = process.communicate(timeout=120)[1].decode()
    check(process.returncode == 74, f"{name}: exit {process.returncode} instead of 74: {errors[-800:]}")
    line = [line for line in errors.splitlines() if "cleft: error:" in line]
    check(len(line) == 1, f"{name}: no single line: {errors[-800:]}")
    found = steps(runs(folder)[-1])
    check(found, f"{name}: no checkpoint stands")
    result = run([CLEFT, "inspect", found[-1] + "/model.safetensors"])
    check(result.returncode == 0, f"{name}: {found[-1]} is not readable")
    print(f"{name}: {line[0][:240]}")
    return folder


def disk():
    folder = f"{WORK}/disk"
    if not mount(folder, 16):
        return print("disk: skipped, cannot mount a small file system here")
    try:
        def fill(folder):
            # A checkpoint in work may take the last byte first.
            try:
                with open(folder + "/filler", "wb", buffering=0) as file:
                    while True:
                        file.write(b"\0" * 4096)
            except OSError:
                pass
        starve("disk", lambda folder: None, fill, "--freeze_vit")
        check(not stray(folder), "disk: half a checkpoint was left")
        if os.path.exists(folder + "/filler"):
            os.remove(folder + "/filler")
        found = steps(runs(folder)[-1])
        start = int(found[-1][-8:])
        train(folder, 100000, "--peft", "lora", "--freeze_vit", "--checkpoint_every", "0", "--max_time", "3s", "--resume_ckpt", "last", status=75)
        check(int(steps(runs(folder)[-1])[-1][-8:]) > start, "disk: the run did not go on")
        print("disk: with room again the run goes on")
    finally:
        subprocess.run(["umount", "-l", folder])
    tight = f"{WORK}/tight"
    if mount(tight, 2):
        result = run(command(tight, 10, "--peft", "lora"))
        subprocess.run(["umount", tight])
        check(result.returncode == 74 and "MiB" in result.stderr, f"disk: too small from the start: {result.returncode} {result.stderr[-500:]}")
        print("disk: too small from the start is said before the first step")


def readonly():
    """The folder of the checkpoints loses its write permission while the run goes on."""
    def own(folder):
        os.makedirs(folder)
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
    starve("readonly", own, lambda folder: os.chmod(runs(folder)[-1] + "/checkpoints", 0o555), user=65534 if os.geteuid() == 0 else None)


def limit():
    """A limit on the size of files, below that of a checkpoint."""
    folder = f"{WORK}/limit"
    def lower():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    result = run(command(folder, 10, "--peft", "lora", "--checkpoint_every", "2"), preexec_fn=lower)
    check(result.returncode == 74, f"limit: exit {result.returncode}: {result.stderr[-600:]}")
    check(not steps(runs(folder)[-1]) and not stray(folder), "limit: half a checkpoint was left")
    print("limit: " + [line for line in result.stderr.splitlines() if "cleft: error:" in line][0][:240])


def steady(total=2000):
    """Memory, open files and threads are flat after step 200."""
    folder = f"{WORK}/steady"
    extra = ["--peft", "lora", "--checkpoint_every", "100", "--num_workers", "2"]
    # Lines go to a file: a pipe that nobody reads would stop the program.
    said = open(f"{WORK}/steady.log", "w+")
    process = subprocess.Popen(
        [a for a in command(folder, total, *extra) if a != "--no_tensorboard"], stdout=subprocess.DEVNULL, stderr=said)
    samples = []
    while process.poll() is None:
        time.sleep(0.05)
        try:
            step = max([json.loads(line)["step"] for line in open(runs(folder)[-1] + "/metrics.jsonl").readlines()[-1:]], default=0)
            status = dict(line.split(":", 1) for line in open(f"/proc/{process.pid}/status") if ":" in line)
            samples.append((step, int(status["VmRSS"].split()[0]) / 1024, len(os.listdir(f"/proc/{process.pid}/fd")), int(status["Threads"])))
        except (OSError, IndexError, KeyError, ValueError):
            continue
    check(process.returncode == 0, f"steady: exit {process.returncode}: {open(said.name).read()[-800:]}")
    late = [s for s in samples if s[0] >= 200]
    early, end = [s for s in late if s[0] < 500], [s for s in late if s[0] > total - 300]
    check(early and end, "steady: too few samples")
    grown = max(s[1] for s in end) - max(s[1] for s in early)
    print(f"steady: {total} steps, {max(s[1] for s in early):.0f} MiB resident early, {max(s[1] for s in end):.0f} late; "
          f"open files {max(s[2] for s in early)} and {max(s[2] for s in end)}; threads {max(s[3] for s in early)} and {max(s[3] for s in end)}")
    check(grown <= 4, f"steady: memory grew by {grown:.1f} MiB")
    check(max(s[2] for s in end) <= max(s[2] for s in early) and max(s[3] for s in end) <= max(s[3] for s in early), "steady: files or threads grew")


PARTS = {f.__name__: f for f in (resume, kills, writes, terms, disk, readonly, limit, steady)}

if __name__ == "__main__":
    try:
        made = run([CLEFT, "synth", "--out", DATA, "--patients", "60", "--per_class", "2", "--rsna_per_class", "2", "--min_size", "64", "--max_size", "80", "--sheet_rows", "1"])
        check(made.returncode == 0, made.stderr)
        os.remove(DATA + "/CheXpert/chexpert_5x200.csv")
        for name in sys.argv[2:] or list(PARTS):
            PARTS[name]()
    finally:
        shutil.rmtree(WORK, ignore_errors=True)
