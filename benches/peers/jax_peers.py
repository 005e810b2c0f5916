"""What a JAX user would run instead: each workload jitted, warmed up, timed as a median of repeats.
Set-up:  python3 -m venv .venv && .venv/bin/pip install -r requirements.txt
Run:     .venv/bin/python jax_peers.py [NAME ...]     prints one JSON line per workload
`ms` is one run of the workload; `first_s` is trace + compile + first run, which a user also waits for;
`ready_s` from the start of the process until JAX was imported and answered, where the environment says when that was."""
import json, os, sys, time, functools
T0 = time.perf_counter()
import jax, jax.numpy as jnp, numpy as np
jnp.zeros(1).block_until_ready()
READY = round(time.time() - float(os.environ["BENCHMARK_STARTED"]), 4) if "BENCHMARK_STARTED" in os.environ else None  # start of the process to a device that answers
WORK = {}
def work(f): WORK[f.__name__] = f; return f
def measure(name, f, *a, repeats=7, per=1):
    f = jax.jit(f); t = time.perf_counter(); jax.block_until_ready(f(*a)); first = time.perf_counter()-t
    ts = []
    for _ in range(repeats):
        t = time.perf_counter()
        for _ in range(per): r = f(*a)
        jax.block_until_ready(r); ts.append((time.perf_counter()-t)/per*1e3)
    print(json.dumps(dict(peer="jax "+jax.__version__, workload=name, ms=round(sorted(ts)[len(ts)//2], 4), first_s=round(first, 3), ready_s=READY)), flush=True)
K = jax.random.PRNGKey(0); N = lambda *s: jax.random.normal(K, s, jnp.float32)

@work
def cold_start():
    x = jax.jit(lambda x: jnp.sin(x).sum())(jnp.ones(8)); x.block_until_ready()
    print(json.dumps(dict(peer="jax", workload="cold_start", ms=round((time.perf_counter()-T0)*1e3, 1))), flush=True)
@work
def primitives():
    a = N(512, 512); measure("matmul_512", lambda s: s@a, a, per=10)
    x = N(1 << 20); measure("add_1m", lambda x: x+x*0.5, x, per=20); measure("tanh_1m", jnp.tanh, x, per=20)
    f = N(64, 128, 128); measure("rfft2_irfft2_64x128x128", lambda f: jnp.fft.irfft2(jnp.fft.rfft2(f)), f)
    x, w = N(16, 32, 32, 32), N(3, 3, 32, 32)*.1
    loss = lambda w, x: jnp.mean(jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))**2)
    measure("conv2d_16x32x32x32_k3_fwd_bwd", jax.value_and_grad(loss, (0, 1)), w, x)
@work
def heat_2d():  # exact spectral steps; the physical state is consumed (its maximum) at every step
    for samples, n in ((64, 128), (1, 128), (4, 512)):
        k = jnp.fft.fftfreq(n, 1/n)[:, None]**2+jnp.fft.rfftfreq(n, 1/n)[None]**2; e = jnp.exp(-k*1e-3).astype(jnp.float32)
        def step(c, _): u = jnp.fft.irfft2(e*jnp.fft.rfft2(c[0])); return (u, c[1]+u.max()), None
        measure(f"heat_2d_{samples}x{n}x{n}_100_steps", lambda u: jax.lax.scan(step, (u, 0.), None, 100)[0], N(samples, n, n), repeats=5)
@work
def burgers_gradient():  # [32, 256], upwind + RK4, 32 steps, gradient with respect to u0 and nu
    dx, dt = 2/256, 2e-3; r = jnp.roll
    rhs = lambda u, nu: -jnp.where(u > 0, u*(u-r(u, 1, -1)), u*(r(u, -1, -1)-u))/dx+nu*(r(u, 1, -1)-2*u+r(u, -1, -1))/dx**2
    def step(nu, u, _):
        a = rhs(u, nu); b = rhs(u+dt/2*a, nu); c = rhs(u+dt/2*b, nu); d = rhs(u+dt*c, nu); return u+dt/6*(a+2*b+2*c+d), None
    loss = lambda u, nu: jnp.mean(jax.lax.scan(functools.partial(step, nu), u, None, 32)[0]**2)
    x = jnp.linspace(-1, 1, 256, endpoint=False); u = -jnp.sin(jnp.pi*x)[None]*jnp.linspace(.5, 1, 32)[:, None]
    measure("burgers_1d_32x256_32_steps_gradient", jax.value_and_grad(loss, (0, 1)), u, 0.005)
@work
def kuramoto_sivashinsky():  # exponax: 1-D, u_t + u u_x + u_xx + u_xxxx = 0, L = 60, dt = 0.1, 1000 ETDRK2 steps, end state
    import exponax as ex
    for samples, n in ((256, 256), (1, 256), (16, 4096)):
        s = ex.stepper.KuramotoSivashinskyConservative(1, 60.0*n/256, n, 0.1, order=2); u = N(samples, 1, n)*.1
        measure(f"ks_1d_{samples}x{n}_1000_steps", jax.vmap(ex.repeat(s, 1000)), u, repeats=5)
@work
def navier_stokes():  # exponax: 2-D vorticity, nu = 1e-3, dt = 1e-3, 100 ETDRK2 steps
    import exponax as ex
    for samples, n in ((1, 256), (16, 64), (1, 1024)):
        s = ex.stepper.NavierStokesVorticity(2, 2*np.pi, n, 1e-3, diffusivity=1e-3, order=2); u = N(samples, 1, n, n)
        measure(f"ns_2d_{samples}x{n}x{n}_100_steps", jax.vmap(ex.repeat(s, 100)), u, repeats=3)
@work
def rollout_gradient():  # gradient of the final enstrophy through 200 of those steps at 128^2, checkpointed every step
    import exponax as ex
    s = ex.stepper.NavierStokesVorticity(2, 2*np.pi, 128, 1e-3, diffusivity=1e-3, order=2); u = N(1, 128, 128)
    f = lambda u: jnp.mean(jax.lax.scan(lambda u, _: (jax.checkpoint(lambda u: s(u))(u), None), u, None, 200)[0]**2)
    measure("ns_2d_128_200_steps_gradient", jax.value_and_grad(f), u, repeats=3)
@work
def pinn_step():  # Burgers residual loss and its gradient: 10 000 points, tanh 2-64-64-64-64-1
    sizes = [2, 64, 64, 64, 64, 1]; ks = jax.random.split(K, 5); p = [(jax.random.normal(k, (a, b))/np.sqrt(a), jnp.zeros(b)) for k, a, b in zip(ks, sizes, sizes[1:])]
    def net(p, x, t):
        h = jnp.stack([x, t])
        for w, b in p[:-1]: h = jnp.tanh(h@w+b)
        w, b = p[-1]; return (h@w+b)[0]
    def res(p, x, t):
        u = net(p, x, t); ux = lambda x: jax.jvp(lambda x: net(p, x, t), (x,), (1.0,))[1]
        u_x, u_xx = jax.jvp(ux, (x,), (1.0,)); u_t = jax.jvp(lambda t: net(p, x, t), (t,), (1.0,))[1]
        return u_t+u*u_x-0.01/np.pi*u_xx
    x, t = jax.random.uniform(K, (2, 10000)); x = 2*x-1
    measure("pinn_burgers_10k_4x64_step", jax.value_and_grad(lambda p: jnp.mean(jax.vmap(res, (None, 0, 0))(p, x, t)**2)), p)
@work
def smdp_window():  # gradient of a 4-step probability-flow window, batch 32, small residual conv net (width 16, 4 blocks of 3x3) at 32^2
    k2 = jnp.fft.fftfreq(32, 1/32)[:, None]**2+jnp.fft.rfftfreq(32, 1/32)[None]**2; dt, g = 0.2/32, 0.1; e = jnp.exp(-k2*dt)-1
    P = lambda u: jnp.fft.irfft2(e*jnp.fft.rfft2(u))
    ks = jax.random.split(K, 10); W = [jax.random.normal(ks[0], (3, 3, 2, 16))*.2]+[jax.random.normal(k, (3, 3, 16, 16))*.06 for k in ks[1:9]]+[jax.random.normal(ks[9], (3, 3, 16, 1))*.1]
    def conv(x, w): return jax.lax.conv_general_dilated(jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="wrap"), w, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    def net(W, x, t):
        h = conv(jnp.stack([x, jnp.broadcast_to(t, x.shape)], -1), W[0])
        for i in range(1, 9, 2): h = h+conv(jax.nn.silu(conv(jax.nn.silu(h), W[i])), W[i+1])
        return conv(h, W[9])[..., 0]
    def loss(W, xs):
        u = xs[0]; l = 0.
        for m in range(4): u = u-P(u)-dt*(-.5*g*g*net(W, u, .2-m*dt)); l += jnp.mean((u-xs[m+1])**2)
        return l
    measure("smdp_window_4_batch_32_gradient", jax.value_and_grad(loss), W, N(5, 32, 32, 32))
@work
def sde_ensemble():  # double well, 1e6 paths, 1000 Euler-Maruyama steps, one number per path kept
    def f(key):
        def step(c, _):
            x, key = c; key, s = jax.random.split(key); return (x+(x-x**3)*1e-2+.5*.1*jax.random.normal(s, x.shape), key), None
        return jax.lax.scan(step, (jnp.zeros(1000000), key), None, 1000)[0][0].mean()
    measure("sde_double_well_1e6_paths_1000_steps", f, K, repeats=5)
@work
def sde_process():  # the same of fewer steps; Langevin's equation with statistics at ten times
    def well(key):
        def step(c, _):
            x, key = c; key, s = jax.random.split(key); return (x+(x-x**3)*1e-2+.5*.1*jax.random.normal(s, x.shape), key), None
        return jax.lax.scan(step, (jnp.zeros(1000000), key), None, 100)[0][0]
    measure("sde_process_1e6_paths_100_steps", well, K, repeats=5)
    def langevin(key):
        def step(c, _):
            (x, v), key = c; key, s = jax.random.split(key)
            return ((x+v*1e-2, v-(.5*v+x)*1e-2+.8*.1*jax.random.normal(s, x.shape)), key), None
        def between(c, _):
            c = jax.lax.scan(step, c, None, 10)[0]; return c, [(z.mean(), z.var(), z.min(), z.max()) for z in c[0]]
        return jax.lax.scan(between, ((jnp.full(1000000, 1.5), jnp.zeros(1000000)), key), None, 10)[1]
    measure("sde_langevin_1e6_paths_100_steps", langevin, K, repeats=5)
def mlp(sizes): return [N(a, b)/a**.5 for a, b in zip(sizes, sizes[1:])], [.1*N(b) for b in sizes[1:]]
def forward(p, h):
    for w, b in zip(p[0][:-1], p[1][:-1]): h = jnp.tanh(h@w+b)
    return h@p[0][-1]+p[1][-1]
@work
def networks():
    p, x = mlp((2, 64, 64, 64, 1)), N(10000, 2); y = jnp.sin(x[:, :1])*x[:, 1:]
    measure("mlp_step_4x64_batch_10000", jax.value_and_grad(lambda p: jnp.mean((forward(p, x)-y)**2)), p)
    t = N(10000, 1); x = x[:, :1]
    def residual(p):  # all points at once; forward mode, twice along x
        one = jnp.ones_like(x)
        u = lambda x, t: forward(p, jnp.concatenate([x, t], 1))
        u_of_x = lambda x: jax.jvp(lambda x: u(x, t), (x,), (one,))
        (v, v_x), (_, v_xx) = jax.jvp(u_of_x, (x,), (one,))
        v_t = jax.jvp(lambda t: u(x, t), (t,), (one,))[1]
        return jnp.mean((v_t+v*v_x-.01/np.pi*v_xx)**2)
    measure("pinn_burgers_4x64_10000_points", jax.value_and_grad(residual), p)
for n in sys.argv[1:] or WORK: WORK[n]()
