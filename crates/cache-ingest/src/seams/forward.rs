//! A reference, box or shared pointer to a store is that store.
//!
//! Every method is forwarded, also those with a default: the lint refuses one that is forgotten.

#![deny(clippy::missing_trait_methods)]

use std::fs::File;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cache_model::Descriptor;

use crate::{
    ByteStream, Error, Expect, Info, Ingester, Listed, Lister, Name, Origin, Provider, Publisher, Referrers,
    Remover, Resolved, Resolver, Source, Standing, Stored,
};

macro_rules! forward {
    ($([$($lifetime:lifetime)?] $pointer:ty;)*) => {$(
        #[async_trait]
        impl<$($lifetime,)? T: Provider + ?Sized> Provider for $pointer {
            async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
                (**self).info(descriptor).await
            }

            async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
                (**self).open(descriptor, offset).await
            }

            fn file(&self, descriptor: &Descriptor) -> Option<File> {
                (**self).file(descriptor)
            }

            fn origin(&self, descriptor: &Descriptor) -> Option<Origin> {
                (**self).origin(descriptor)
            }

            fn pass_over(&self, descriptor: &Descriptor) -> bool {
                (**self).pass_over(descriptor)
            }
        }

        #[async_trait]
        impl<$($lifetime,)? T: Ingester + ?Sized> Ingester for $pointer {
            async fn put(&self, descriptor: &Descriptor, source: &Source<'_>) -> Result<Stored, Error> {
                (**self).put(descriptor, source).await
            }
        }

        #[async_trait]
        impl<$($lifetime,)? T: Resolver + ?Sized> Resolver for $pointer {
            async fn resolve(&self, name: &Name) -> Result<Resolved, Error> {
                (**self).resolve(name).await
            }

            async fn resolve_descriptor(&self, name: &Name) -> Result<Descriptor, Error> {
                (**self).resolve_descriptor(name).await
            }
        }

        #[async_trait]
        impl<$($lifetime,)? T: Remover + ?Sized> Remover for $pointer {
            async fn remove_name(&self, name: &Name) -> Result<(), Error> {
                (**self).remove_name(name).await
            }
        }

        #[async_trait]
        impl<$($lifetime,)? T: Lister + ?Sized> Lister for $pointer {
            async fn list(&self) -> Result<Vec<Listed>, Error> {
                (**self).list().await
            }
        }

        #[async_trait]
        impl<$($lifetime,)? T: Publisher + ?Sized> Publisher for $pointer {
            async fn publish(
                &self,
                name: &Name,
                descriptor: &Descriptor,
                bytes: Bytes,
                expect: Expect,
            ) -> Result<(), Error> {
                (**self).publish(name, descriptor, bytes, expect).await
            }

            async fn standing(&self, name: &Name, descriptor: &Descriptor) -> Result<Standing, Error> {
                (**self).standing(name, descriptor).await
            }

            fn is_atomic(&self) -> bool {
                (**self).is_atomic()
            }
        }

        #[async_trait]
        impl<$($lifetime,)? T: Referrers + ?Sized> Referrers for $pointer {
            async fn referrers(&self, subject: &Descriptor) -> Result<Vec<Descriptor>, Error> {
                (**self).referrers(subject).await
            }

            async fn add_referrer(
                &self,
                subject: &Descriptor,
                referrer: &Descriptor,
                bytes: Bytes,
            ) -> Result<(), Error> {
                (**self).add_referrer(subject, referrer, bytes).await
            }
        }
    )*};
}

forward! {
    ['p] &'p T;
    [] Box<T>;
    [] Arc<T>;
}
