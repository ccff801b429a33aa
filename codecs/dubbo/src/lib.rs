//! Dubbo 2 with Hessian 2 bodies.
