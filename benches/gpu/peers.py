"""The workloads of `cargo bench -- --large` in JAX and, where it is what people use, PyTorch: same names, sizes, schemes and f32.

    python peers.py [--tiny] [NAME ...]      one line of JSON for each workload whose name contains one of the words

--tiny takes a 256th of the samples and an eighth of the points along an axis, once each: to try the scripts without a card. Its lines say so.

Each is compiled, run once, and timed as the median of repeats that end when the device is done. JAX products run in true f32
(`jax_default_matmul_precision`), as ours are compared with f32 results. What needs a package that is not there is left out, with a line on
standard error.
"""
import functools, json, sys, time

import jax, jax.numpy as jnp, numpy as np

jax.config.update("jax_default_matmul_precision", "highest")
TINY = "--tiny" in sys.argv[1:]
WORDS = [word for word in sys.argv[1:] if word != "--tiny"]
KEY = jax.random.PRNGKey(0)
DEVICE = str(jax.devices()[0])


def many(count):
    return max(1, count // 256) if TINY else count
def points(n):
    return max(16, n // 8) if TINY else n


def normal(*shape):
    return jax.random.normal(KEY, shape, jnp.float32)


def report(peer, name, first, times):
    ms = sorted(times)[len(times) // 2]
    print(json.dumps(dict(peer=peer, workload=name, device=DEVICE, ms=round(ms, 4), first_s=round(first, 3), **(dict(tiny=True) if TINY else {}))), flush=True)


def measure(name, f, *arguments, repeats=5):
    f = jax.jit(f)
    begun = time.perf_counter()
    jax.block_until_ready(f(*arguments))
    first, times = time.perf_counter() - begun, []
    for _ in range(1 if TINY else repeats):
        begun = time.perf_counter()
        jax.block_until_ready(f(*arguments))
        times.append((time.perf_counter() - begun) * 1e3)
    report("jax " + jax.__version__, name, first, times)


def matmul(name, n=8192):
    measure(name, lambda a: a @ a, normal(points(n), points(n)), repeats=7)
def add(name):
    measure(name, lambda x: x + x * 0.5, normal(many(1 << 28)), repeats=7)
def tanh(name):
    measure(name, jnp.tanh, normal(many(1 << 28)), repeats=7)
def transforms(name):
    measure(name, lambda f: jnp.fft.irfft2(jnp.fft.rfft2(f)), normal(many(1024), 128, 128), repeats=7)
def conv(name):
    x, w = normal(many(256), 32, 32, 32), normal(3, 3, 32, 32) * 0.1
    layer = functools.partial(jax.lax.conv_general_dilated, window_strides=(1, 1), padding="SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    measure(name, jax.value_and_grad(lambda w, x: jnp.mean(layer(x, w) ** 2), (0, 1)), w, x, repeats=7)
def heat(name, samples, n):
    samples, n = many(samples), points(n)
    k = jnp.fft.fftfreq(n, 1 / n)[:, None] ** 2 + jnp.fft.rfftfreq(n, 1 / n)[None] ** 2
    decay = jnp.exp(-k * 1e-3).astype(jnp.float32)
    def step(carry, _):
        u = jnp.fft.irfft2(decay * jnp.fft.rfft2(carry[0]))
        return (u, carry[1] + u.max()), None
    measure(name, lambda u: jax.lax.scan(step, (u, 0.0), None, 100)[0], normal(samples, n, n))
def burgers(name, samples=4096):
    samples = many(samples)
    dx, dt, r = 2 / 256, 2e-3, jnp.roll
    def rate(u, nu):
        slope = jnp.where(u > 0, u * (u - r(u, 1, -1)), u * (r(u, -1, -1) - u)) / dx
        return -slope + nu * (r(u, 1, -1) - 2 * u + r(u, -1, -1)) / dx ** 2
    def step(nu, u, _):
        a = rate(u, nu); b = rate(u + dt / 2 * a, nu); c = rate(u + dt / 2 * b, nu); d = rate(u + dt * c, nu)
        return u + dt / 6 * (a + 2 * b + 2 * c + d), None
    loss = lambda u, nu: jnp.mean(jax.lax.scan(functools.partial(step, nu), u, None, 32)[0] ** 2)
    x = jnp.linspace(-1, 1, 256, endpoint=False)
    measure(name, jax.value_and_grad(loss, (0, 1)), -jnp.sin(jnp.pi * x)[None] * jnp.linspace(0.5, 1, samples)[:, None], 0.005)
def ks(name, samples, n):
    import exponax as ex
    samples, n = many(samples), points(n)
    stepper = ex.stepper.KuramotoSivashinskyConservative(1, 60.0 * n / 256, n, 0.1, order=2)
    measure(name, jax.vmap(ex.repeat(stepper, 1000)), normal(samples, 1, n) * 0.1, repeats=3)
def flow(name, samples, n):
    import exponax as ex
    samples, n = many(samples), points(n)
    stepper = ex.stepper.NavierStokesVorticity(2, 2 * np.pi, n, 1e-3, diffusivity=1e-3, order=2)
    measure(name, jax.vmap(ex.repeat(stepper, 100)), normal(samples, 1, n, n), repeats=3)
def flow_gradient(name, n=512):
    import exponax as ex
    n = points(n)
    stepper = ex.stepper.NavierStokesVorticity(2, 2 * np.pi, n, 1e-3, diffusivity=1e-3, order=2)
    step = lambda u, _: (jax.checkpoint(lambda u: stepper(u))(u), None)
    measure(name, jax.value_and_grad(lambda u: jnp.mean(jax.lax.scan(step, u, None, 200)[0] ** 2)), normal(1, n, n), repeats=3)
def window(name, batch=1024):
    batch = many(batch)
    k2 = jnp.fft.fftfreq(32, 1 / 32)[:, None] ** 2 + jnp.fft.rfftfreq(32, 1 / 32)[None] ** 2
    dt, g, width = 0.2 / 32, 0.1, 16
    grown = jnp.exp(-k2 * dt)
    sizes = [(width, 2, 0.2)] + [(width, width, 0.06)] * 8 + [(1, width, 0.1)]
    weights = [s * jax.random.normal(jax.random.PRNGKey(i), (o, c, 3, 3)) for i, (o, c, s) in enumerate(sizes)]
    path = normal(5, batch, 1, 32, 32)
    def layer(x, w):
        x = jnp.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="wrap")
        return jax.lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=("NCHW", "OIHW", "NCHW"))
    def network(w, u, t):
        h = layer(jnp.concatenate([u, jnp.full_like(u, t)], 1), w[0])
        for i in (1, 3, 5, 7):
            h = h + layer(jax.nn.silu(layer(jax.nn.silu(h), w[i])), w[i + 1])
        return layer(h, w[9])
    def loss(w):
        u, total = path[0], 0.0
        for m in range(4):
            back = 2 * u - jnp.fft.irfft2(grown * jnp.fft.rfft2(u))
            u = back + dt * 0.5 * g * g * network(w, u, 0.2 - m * dt)
            total = total + jnp.mean((u - path[m + 1]) ** 2)
        return total
    measure(name, jax.value_and_grad(loss), weights)
def wells(name, paths=100_000_000):
    paths = many(paths)
    dt, g = 0.01, 0.5
    def step(x, i):
        noise = jax.random.normal(jax.random.fold_in(KEY, i), x.shape)
        return x + (x - x ** 3) * dt + g * dt ** 0.5 * noise, None
    measure(name, lambda x: jax.lax.scan(step, x, jnp.arange(1000))[0], jnp.zeros(paths, jnp.float32), repeats=3)


def torch_conv(name):
    import torch
    torch.backends.cudnn.allow_tf32 = False
    place = "cuda" if torch.cuda.is_available() else "cpu"
    x = torch.randn(many(256), 32, 32, 32, device=place, requires_grad=True)
    w = (torch.randn(32, 32, 3, 3, device=place) * 0.1).requires_grad_()
    def once():
        loss = torch.nn.functional.conv2d(x, w, padding=1).square().mean()
        torch.autograd.grad(loss, (w, x))
        if place == "cuda":
            torch.cuda.synchronize()
    def timed():
        begun = time.perf_counter(); once(); return time.perf_counter() - begun
    first = timed()
    report("torch " + torch.__version__, name, first, [timed() * 1e3 for _ in range(1 if TINY else 7)])


WORK = {
    "matmul_8192": [matmul],
    "add_256m": [add],
    "tanh_256m": [tanh],
    "rfft2_irfft2_1024x128x128": [transforms],
    "conv2d_256x32x32x32_k3_fwd_bwd": [conv, torch_conv],
    "heat_2d_1024x128x128_100_steps": [functools.partial(heat, samples=1024, n=128)],
    "heat_2d_64x512x512_100_steps": [functools.partial(heat, samples=64, n=512)],
    "burgers_1d_4096x256_32_steps_gradient": [burgers],
    "ks_1d_16384x256_1000_steps": [functools.partial(ks, samples=16384, n=256)],
    "ks_1d_1024x4096_1000_steps": [functools.partial(ks, samples=1024, n=4096)],
    "ns_2d_1024x64x64_100_steps": [functools.partial(flow, samples=1024, n=64)],
    "ns_2d_16x1024x1024_100_steps": [functools.partial(flow, samples=16, n=1024)],
    "ns_2d_512_200_steps_gradient": [flow_gradient],
    "smdp_window_4_batch_1024_gradient": [window],
    "sde_double_well_1e8_paths_1000_steps": [wells],
}

if __name__ == "__main__":
    for name, peers in WORK.items():
        if WORDS and not any(word in name for word in WORDS):
            continue
        for peer in peers:
            try:
                peer(name)
            except ImportError as missing:
                print(f"{name}: left out: {missing}", file=sys.stderr)
            except Exception as failure:  # one that does not fit the card must not end the others
                print(f"{name}: failed: {type(failure).__name__}: {str(failure)[:300]}", file=sys.stderr)
